# SPDX-License-Identifier: BSD-3-Clause
"""Once the service is ready, the kernel holds every thread of it to the filter of system calls."""
import pathlib
import subprocess

import pytest

from harness import program


def built_with_filter():
    """The sanitizers' builds and those without libseccomp have none."""
    listing = subprocess.run(
        ["ldd", str(program("pccsd"))], capture_output=True, text=True, check=False
    )
    return "libseccomp" in listing.stdout


def seccomp_modes(service):
    """2: a filter is in force (proc(5)), for each thread."""
    tasks = pathlib.Path("/proc", str(service.program.process.pid), "task")
    return [
        line.split()[1]
        for task in tasks.iterdir()
        for line in (task / "status").read_text().splitlines()
        if line.startswith("Seccomp:")
    ]


@pytest.mark.skipif(not built_with_filter(), reason="this build has no filter of system calls")
def test_every_thread_is_narrowed(start_service):
    service = start_service()
    modes = seccomp_modes(service)
    assert len(modes) > 2
    assert set(modes) == {"2"}


def test_an_operator_may_turn_the_filter_off_and_is_told(start_service):
    service = start_service({"SystemCallFilter": False})
    assert set(seccomp_modes(service)) == {"0"}
    assert " syscalls-open " in service.program.errors()
