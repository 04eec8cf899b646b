# SPDX-License-Identifier: BSD-3-Clause
"""Every state of a server that PCKIDRetrievalTool tells apart, from outside; its questions at a
terminal; and that the manual knows every option, state and number."""
import os
import pty
import re
import select
import shutil
import subprocess
import time

import pytest

from harness import ROOT, USER_TOKEN, clean_environment
from platform_side import (DONE, FAILED, PLAIN_CSV, TAKES_ALL, TOKEN, TOOL, FakePccs, Server,
                           stub_arguments)
from harness import BUILD
from fake_platform import ADD_REQUEST_GUID, EPCBIOS, EPCSW, small_manifest, stub_runtime

MANIFEST = small_manifest()
MANUAL = ROOT / "docs" / "man" / "PCKIDRetrievalTool.1.md"


@pytest.fixture
def server(tmp_path):
    return Server(tmp_path / "server")


def states(answer):
    return [finding["state"] for finding in answer["findings"]]


# ---- the manifest ----

@pytest.mark.parametrize("state, prepare", [
    ("manifest-never-offered", lambda e: e),
    ("manifest-consumed", lambda e: e.configure().status(1)),
    ("manifest-consumed", lambda e: e.configure().status(3)),
    ("manifest-refused", lambda e: e.configure().status(1, 0xA3)),
    ("manifest-firmware-error", lambda e: e.configure().status(0, 0x16)),
    ("manifest-withheld", lambda e: e.configure().status(0)),
    ("manifest-withheld", lambda e: e.configure()),
    ("manifest-add-package", lambda e: e.configure().status(0).request(ADD_REQUEST_GUID
                                                                       + bytes(195))),
    ("manifest-malformed", lambda e: e.configure().status(0).request(bytes.fromhex(MANIFEST), 4)),
    ("manifest-malformed", lambda e: e.configure().status(1).request(bytes.fromhex(MANIFEST), 1,
                                                                     size=299)),
])
def test_a_manifest_that_cannot_be_had_is_a_warning_with_its_state(server, state, prepare):
    prepare(server.efivars)
    answer = server.run_json()
    assert answer["exit"] == DONE and states(answer) == [state]
    assert answer["manifest"] == {**answer["manifest"], "state": state, "bytes": 0}
    assert server.csv.read_text() == PLAIN_CSV
    finding = answer["findings"][0]
    assert all(finding[part] for part in ("seen", "means", "do"))


@pytest.mark.parametrize("bits, state", [(0, "manifest-waiting"), (1, "manifest-reboot-pending")])
def test_a_manifest_that_is_there_is_no_warning(server, bits, state):
    server.efivars.offer(MANIFEST).status(bits)
    answer = server.run_json()
    assert answer["manifest"]["state"] == state and answer["manifest"]["bytes"] == 300
    assert answer["warnings"] == answer["findings"] == []


def as_nobody():
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)


def open_to_nobody(server):
    """Folders that another user may enter and write."""
    for folder in (server.folder, server.work, server.efivars.folder):
        folder.chmod(0o777)
    for folder in server.folder.parents:
        if folder.stat().st_uid == os.getuid() and str(folder).startswith("/tmp/"):
            folder.chmod(folder.stat().st_mode | 0o011)


def run_as_nobody(server, *arguments, **more):
    """With copies of program and stub: a build below /root is out of another user's reach."""
    open_to_nobody(server)
    tool, runtime = (shutil.copy(path, server.folder) for path in (TOOL, stub_runtime(BUILD)))
    return server.run_json("--sgx-runtime", runtime, *arguments, tool=tool, preexec_fn=as_nobody,
                           **more)


needs_root = pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")


@needs_root
def test_variables_that_may_not_be_read(server):
    server.efivars.offer(MANIFEST)
    for path in server.efivars.folder.iterdir():
        path.chmod(0o600)
    answer = run_as_nobody(server)
    assert answer["exit"] == DONE and states(answer) == ["manifest-unreadable"]
    assert "Permission denied" in answer["findings"][0]["seen"]


@needs_root
def test_a_status_that_may_not_be_written_is_a_warning(server):
    server.efivars.offer(MANIFEST)
    answer = run_as_nobody(server, "--mark-complete")
    assert answer["exit"] == DONE and not answer["marked_complete"]
    assert any("cannot be written" in text for text in answer["warnings"])
    assert server.efivars.bits() == (0, 0)


# ---- SGX ----

INTEL = "0 0 20 756e6547 6c65746e 49656e69"
FEATURES = "7 0 0 4 40000000 0"
ENABLED = ["12 0 3 0 0 381f", "12 1 f7 0 0 0", "12 2 70200001 0 5d80001 0"]
GOOD_CPU = [INTEL, FEATURES, *ENABLED]


class Machine:
    """A folder that stands in for / in the diagnosis; good unless changed."""

    def __init__(self, folder):
        self.folder = folder
        self.cpuid(GOOD_CPU)
        self.file("proc/cpuinfo", "flags\t\t: fpu sgx sgx_lc\n")
        self.file("proc/sys/kernel/osrelease", "6.1.0-18-amd64\n")
        self.file("proc/1/cgroup", "0::/init.scope\n")
        self.file("dev/sgx_enclave").file("dev/sgx_provision")

    def file(self, name, text=""):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return self

    def remove(self, *names):
        for name in names:
            (self.folder / name).unlink()
        return self

    def cpuid(self, rows):
        return self.file("cpuid", "\n".join(rows))


@pytest.fixture
def machine(server):
    made = Machine(server.folder / "machine")
    server.environment["PCKID_TEST_MACHINE"] = str(made.folder)
    return made


@pytest.mark.parametrize("state, change", [
    ("sgx-ready", lambda m: m),
    ("sgx-no-cpu", lambda m: m.cpuid([INTEL])),
    ("sgx-hidden-by-hypervisor", lambda m: m.cpuid([INTEL, "1 0 0 0 80000000 0"])),
    ("sgx-bios-off", lambda m: m.cpuid([INTEL, FEATURES])),
    ("sgx-bios-off", lambda m: m.cpuid([INTEL, FEATURES, *ENABLED[:2]])),
    ("sgx-no-launch-control", lambda m: m.cpuid([INTEL, "7 0 0 4 0 0", *ENABLED])),
    ("sgx-no-driver", lambda m: m.remove("dev/sgx_enclave", "dev/sgx_provision")),
    ("sgx-kernel-old", lambda m: m.remove("dev/sgx_enclave").file("proc/sys/kernel/osrelease",
                                                                  "5.10.0")),
    ("sgx-kernel-refused", lambda m: m.remove("dev/sgx_enclave").file("proc/cpuinfo", "fpu")),
    ("sgx-not-in-container", lambda m: m.remove("dev/sgx_enclave").file("run/.containerenv")),
    ("sgx-no-provision-node", lambda m: m.remove("dev/sgx_provision")),
])
def test_states_of_the_machine(server, machine, state, change):
    change(machine)
    answer = server.run_json(environment={"SGX_STUB_CREATE_ID": "2006"})
    assert answer["exit"] == FAILED
    assert states(answer)[-2:] == ["sgx-refused", state]
    assert "0x2006 (NO_DEVICE)" in answer["findings"][-2]["seen"]
    assert server.files() == []


@pytest.mark.parametrize("names, state", [((EPCBIOS,), "sgx-bios-software-controlled"),
                                          ((EPCBIOS, EPCSW), "sgx-bios-reboot-pending")])
def test_software_controlled_sgx(server, machine, names, state):
    machine.cpuid([INTEL, FEATURES])
    for name in names:
        server.efivars.write(name, bytes(12))
    answer = server.run_json(environment={"SGX_STUB_CREATE_ID": "2006"})
    assert states(answer)[-1] == state


@needs_root
@pytest.mark.parametrize("name, state", [("sgx_enclave", "sgx-no-access"),
                                         ("sgx_provision", "sgx-no-provision-access")])
def test_nodes_that_may_not_be_opened(server, machine, name, state):
    for node in ("sgx_enclave", "sgx_provision"):
        (machine.folder / "dev" / node).chmod(0o660 if node == name else 0o666)
    answer = run_as_nobody(server, environment={"SGX_STUB_CREATE_ID": "4004"})
    assert states(answer)[-2:] == ["sgx-refused", state]
    seen = answer["findings"][-1]["seen"]
    assert "Permission denied" in seen and "group is root" in seen
    assert "sgx_prv" in answer["findings"][-2]["seen"]


def test_no_runtime(server, machine):
    answer = server.run_json("--sgx-runtime", "/nonexistent/libsgx_urts.so.2")
    assert answer["exit"] == FAILED and "sgx-no-runtime" in states(answer)
    done = server.run("--efivars", server.efivars.folder, "--state", server.state, is_plain=True)
    assert done.returncode == FAILED
    assert "libsgx-urts" in done.stderr or "libsgx_urts" in done.stderr


def test_no_enclave_file(server, machine):
    answer = server.run_json("--enclave-dir", "/nonexistent",
                             environment={"SGX_STUB_CREATE_ID": "200f"})
    assert "sgx-no-enclave" in states(answer)
    assert "libsgx-ae-id-enclave" in answer["findings"][-2]["do"]


def numbers():
    text = (ROOT / "src" / "platform" / "sgx_status.def").read_text()
    return re.findall(r'^SGX_STATUS\(0x([0-9a-f]{4}), "(\w+)", "(.*)"\)$', text, re.M)


def test_every_number_of_the_runtime_in_plain_words(server, machine):
    assert len(numbers()) > 25
    for code, name, words in numbers():
        answer = server.run_json(environment={"SGX_STUB_CREATE_PCE": code})
        seen = next(f for f in answer["findings"] if f["state"] == "sgx-refused"
                    or f["state"] == "sgx-no-enclave")["seen"]
        assert f"0x{code}" in seen and name in seen
        assert words[:60] in seen or name == "ENCLAVE_FILE_ACCESS"


def test_the_paragraphs_for_a_human(server, machine):
    machine.cpuid([INTEL])
    done = server.run(environment={"SGX_STUB_CREATE_ID": "2006"})
    assert done.returncode == FAILED
    for word in ("sgx-no-cpu", "Seen:", "Means:", "Do:"):
        assert word in done.stderr
    assert max(map(len, done.stderr.splitlines())) <= 120


# ---- questions at a terminal ----

class Terminal:
    """The tool at a terminal of its own."""

    def __init__(self, server, *arguments, **environment):
        ours, theirs = pty.openpty()
        self.file = ours
        self.text = ""
        self.process = subprocess.Popen(
            [str(TOOL), *stub_arguments(BUILD, server.efivars.folder), "--state",
             str(server.state), *map(str, arguments)],
            stdin=theirs, stdout=theirs, stderr=theirs, cwd=server.work, start_new_session=True,
            env=clean_environment(environment))
        os.close(theirs)

    def wait_for(self, text, seconds=20):
        deadline = time.monotonic() + seconds
        while text not in self.text:
            assert time.monotonic() < deadline, self.text
            if select.select([self.file], [], [], 0.1)[0]:
                self.text += os.read(self.file, 4096).decode(errors="replace")

    def answer(self, line):
        os.write(self.file, (line + "\n").encode())

    def end(self, seconds=20):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if not select.select([self.file], [], [], 0.1)[0]:
                continue
            try:
                got = os.read(self.file, 4096)
            except OSError:  # the terminal's other side is closed
                break
            if not got:
                break
            self.text += got.decode(errors="replace")
        else:
            self.process.kill()
        os.close(self.file)
        return self.process.wait(seconds)


def test_the_token_is_asked_without_echo(server):
    with FakePccs(*TAKES_ALL) as pccs:
        terminal = Terminal(server, "-url", pccs.url)
        terminal.wait_for("User token of the PCCS: ")
        terminal.answer(USER_TOKEN)
        assert terminal.end() == DONE, terminal.text
        assert pccs.requests[1][1]["user-token"] == USER_TOKEN
    assert USER_TOKEN not in terminal.text


@pytest.mark.parametrize("word, status", [("y", DONE), ("n", FAILED), ("", FAILED)])
def test_replacing_a_file_is_asked(server, word, status):
    server.csv.write_text("earlier")
    terminal = Terminal(server)
    terminal.wait_for("Replace it? [y/N] ")
    terminal.answer(word)
    assert terminal.end() == status
    assert server.csv.read_text() == (PLAIN_CSV if status == DONE else "earlier")


def test_the_platform_id_is_asked(server):
    server.efivars.offer(MANIFEST)
    terminal = Terminal(server, "-platform_id")
    terminal.wait_for("Platform id: ")
    terminal.answer("ab12")
    assert terminal.end() == DONE
    assert server.csv.read_text().startswith(",0000,,,61623132,")


def test_the_token_of_an_option_is_not_left_in_the_list_of_processes(server):
    with FakePccs((400, "")) as pccs:
        server.csv.write_text("earlier")
        terminal = Terminal(server, "-user_token", USER_TOKEN, "-url", pccs.url, "-f", server.csv)
        terminal.wait_for("Replace it? [y/N] ")
        words = open(f"/proc/{terminal.process.pid}/cmdline", "rb").read()
        terminal.answer("n")
        terminal.end()
    assert USER_TOKEN.encode() not in words and b"-user_token" in words


# ---- the manual ----

def rows(path, macro, fields):
    text = (ROOT / "src" / path).read_text()
    return re.findall(r"^" + macro + r"\(" + fields, text, re.M)


def test_the_manual_knows_every_option_state_and_number():
    manual = MANUAL.read_text()
    options = rows("pckid/pckid_option.def", "PCKID_OPTION", r'\w+, "(\S+)"')
    words = rows("platform/platform_state.def", "PLATFORM_STATE", r'\w+, "(\S+)"')
    assert len(options) > 20 and len(words) > 25
    for name in [*options, *words]:
        assert f"`{name}" in manual, name
    for code, name, _ in numbers():
        assert f"`0x{code}`" in manual and name in manual, code


def test_the_manual_knows_every_member_of_json(server):
    manual = MANUAL.read_text()
    server.efivars.offer(MANIFEST)
    members = set(server.run_json("--dry-run"))
    with FakePccs((400, ""), (404, "No cache data")) as pccs:
        members |= set(server.run_json("-f", "x.csv", "-url", pccs.url, environment=TOKEN))
        members |= set(server.run_json("--send", "x.csv", "-url", pccs.url, environment=TOKEN))
    for member in members:
        assert f"`{member}`" in manual, member
