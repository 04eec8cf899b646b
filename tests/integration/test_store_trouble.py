# SPDX-License-Identifier: BSD-3-Clause
"""The disk is full, the database cannot be written or is locked.

503 and a log line for what must be kept, answers for what is cached, and all is well again without
a restart once the trouble is over.
"""
import contextlib
import os
import resource
import sqlite3
import subprocess

import pytest

from clients import (Administrator, pckcert_path, queue, register, synthetic_platform, upload,
                     wait_until)
from harness import V4, Service

KEPT = [f"{V4}/tcb?fmspc=00906EA10000", f"{V4}/qe/identity", f"{V4}/rootcacrl",
        f"{V4}/pckcrl?ca=processor"]


@pytest.fixture(autouse=True)
def fresh_simulator(simulator):
    simulator.control("reset")


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 2 MB; root only."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() != 0 or subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=2m", "none", str(folder)],
            stderr=subprocess.DEVNULL).returncode != 0:
        pytest.skip("cannot mount a small file system here: needs root")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def serve(folder, simulator, storage="pckcache.db", mode="LAZY"):
    return Service(folder, {**simulator.configuration(), "CachingFillMode": mode,
                            "sqlite": {"options": {"storage": str(storage)}}})


def assert_goes_on(service, fleet):
    """Everything cached is answered from memory and from the database."""
    for path in [*KEPT, pckcert_path(fleet[0])]:
        answer = service.get(path)
        assert answer.status == 200, (path, answer)


def assert_trouble(service, fleet, simulator, waits=False):
    """What cannot be kept is not acknowledged, and the log says why. waits: each try takes 5 s."""
    lines = service.log().count("store-failed")
    before = service.metrics().get("pccs_store_errors_total", 0)
    answer = register(service, fleet[1])
    assert answer.status == 503, answer
    assert answer.text == "Server is currently unable to process the request."
    assert answer.header("PCCS-Error-Detail")
    if not waits:
        answer = upload(service, Administrator(simulator).file(fleet[:1]))
        assert answer.status == 503, answer
    assert service.log().count("store-failed") > lines
    assert service.metrics()["pccs_store_errors_total"] > before
    assert_goes_on(service, fleet)


def assert_recovered(service, fleet, simulator):
    assert register(service, fleet[1]).status == 200
    assert upload(service, Administrator(simulator).file(fleet[:2])).status == 200
    wait_until(lambda: service.get("/healthz/ready").status == 200, "the service is ready again")
    assert service.stop() == 0
    service.start_again()
    simulator.control("fault", endpoint="*", kind="drop")
    assert_goes_on(service, fleet)
    answer = service.get(pckcert_path(fleet[1]))
    assert answer.header("SGX-TCBm") == fleet[1]["expected_tcbm"]


def test_full_disk(tmp_path, simulator, fleet, small_disk):
    with serve(tmp_path / "service", simulator, small_disk / "pckcache.db") as service:
        assert register(service, fleet[0]).status == 200
        ballast = small_disk / "ballast"
        with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
            while file.write(b"x" * 4096) == 4096:
                pass
        assert_trouble(service, fleet, simulator)
        ballast.unlink()
        assert_recovered(service, fleet, simulator)


def test_file_size_limit(tmp_path, simulator, fleet):
    with serve(tmp_path / "service", simulator) as service:
        assert register(service, fleet[0]).status == 200
        pid = service.program.process.pid
        _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        # the log goes to a file too, and may still grow a little
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (200_000, hard))
        size = (service.folder / "pckcache.db-wal").stat().st_size
        assert size > 150_000, "the write-ahead log is shorter than thought: adapt the limit"
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, hard))
        assert_trouble(service, fleet, simulator)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (hard, hard))
        assert_recovered(service, fleet, simulator)


def test_database_that_cannot_be_written(tmp_path, simulator, fleet):
    """Its files become immutable, as they do when a file system is remounted read-only."""
    with serve(tmp_path / "service", simulator) as service:
        assert register(service, fleet[0]).status == 200
        # not pckcache.db-shm: SQLite maps it, and a write to a map of an immutable file is SIGBUS
        files = [str(service.folder / name) for name in ("pckcache.db", "pckcache.db-wal")]
        if subprocess.run(["chattr", "+i", *files], stderr=subprocess.DEVNULL).returncode != 0:
            pytest.skip("this file system has no immutable files, or this is not root")
        try:
            assert_trouble(service, fleet, simulator)
        finally:
            subprocess.run(["chattr", "-i", *files], check=True)
        assert_recovered(service, fleet, simulator)


def test_database_locked_by_another_program(tmp_path, simulator, fleet):
    with serve(tmp_path / "service", simulator) as service:
        assert register(service, fleet[0]).status == 200
        with contextlib.closing(sqlite3.connect(service.folder / "pckcache.db",
                                                isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            assert_trouble(service, fleet, simulator, waits=True)
            other.execute("ROLLBACK")
        assert_recovered(service, fleet, simulator)


def test_readiness_tells_of_a_database_that_cannot_be_written(tmp_path, simulator, fleet,
                                                              small_disk):
    with serve(tmp_path / "service", simulator, small_disk / "pckcache.db", "OFFLINE") as service:
        assert service.get("/healthz/ready").status == 200
        with (small_disk / "ballast").open("wb", buffering=0) as file, \
                contextlib.suppress(OSError):
            while file.write(b"x" * 4096) == 4096:
                pass
        number = 0
        while register(service, synthetic_platform(number)).status == 200:
            number += 1
            assert number < 5000
        assert service.get("/healthz/live").status == 200
        wait_until(lambda: service.get("/healthz/ready").status == 503, "it is not ready", 30)
        assert "reason" in service.get("/healthz/ready").json()
        (small_disk / "ballast").unlink()
        wait_until(lambda: service.get("/healthz/ready").status == 200, "it is ready again", 30)
        assert len(queue(service)) >= number
