# SPDX-License-Identifier: BSD-3-Clause
"""PCKIDRetrievalTool: what it saves, sends and marks, in which order, and what is left on disk."""
import json
import os
import shutil
import stat

import pytest

from clients import queue, registration
from harness import BUILD, ROOT, USER_TOKEN
from platform_side import (CPU_SVN, DONE, FAILED, NOT_TAKEN, PLAIN_CSV, PLATFORMS, PPID, QE_ID,
                           TAKES_ALL, TOKEN, TOOL, WRONG_USAGE, FakePccs, Server, registration_of)
from fake_platform import (ADD_REQUEST_GUID, READ_ONLY, small_manifest, stub_environment,
                           stub_runtime)

MANIFEST = small_manifest()
MANIFEST_CSV = f"{PLAIN_CSV},{MANIFEST}"


@pytest.fixture
def server(tmp_path):
    return Server(tmp_path / "server")


# ---- saving ----

def test_the_csv_is_intels_byte_for_byte(server):
    done = server.run()
    assert done.returncode == DONE, done.stderr
    assert server.csv.read_bytes() == PLAIN_CSV.encode()
    assert "pckid_retrieval.csv" in done.stdout


@pytest.mark.parametrize("version", [1, 2, 3])
def test_the_manifest_is_the_sixth_field(server, version):
    server.efivars.offer(MANIFEST, version)
    assert server.run("-f", "x.csv").returncode == DONE
    assert (server.work / "x.csv").read_bytes() == MANIFEST_CSV.encode()
    assert server.efivars.bits() == (0, 0)  # saved only: the firmware was not told


def test_the_largest_manifest_that_the_pcs_takes(server):
    manifest = small_manifest(56442)
    server.efivars.offer(manifest, 3)
    assert server.run().returncode == DONE
    assert server.csv.read_text() == f"{PLAIN_CSV},{manifest}"


def test_a_private_copy_is_kept_in_every_case(server):
    first = server.run_json()
    assert first["copy"] == str(server.state / f"{QE_ID}.csv")
    assert stat.S_IMODE(os.stat(first["copy"]).st_mode) == 0o600
    assert stat.S_IMODE(server.state.stat().st_mode) == 0o700
    server.efivars.offer(MANIFEST)
    second = server.run_json("--overwrite")
    server.efivars.status(1).reboot()
    assert server.run_json("--overwrite")["copy"] == first["copy"]
    kept = {path.name: path.read_text() for path in server.copies()}
    assert len(kept) == 2  # the one with the manifest is still there
    assert kept[os.path.basename(second["copy"])] == MANIFEST_CSV


def test_an_existing_file_is_kept_unless_allowed(server):
    server.csv.write_text("the only copy")
    done = server.run()
    assert done.returncode == FAILED and "--overwrite" in done.stderr
    assert server.csv.read_text() == "the only copy"
    for option in ("--overwrite", "--yes"):
        assert server.run(option).returncode == DONE
        assert server.csv.read_text() == PLAIN_CSV
    assert server.files() == ["pckid_retrieval.csv"]


@pytest.mark.parametrize("variable", [
    "SGX_STUB_CREATE_ID", "SGX_STUB_ECALL_QE_ID", "SGX_STUB_RET_QE_ID", "SGX_STUB_CREATE_PCE",
    "SGX_STUB_TARGET", "SGX_STUB_ECALL_KEY", "SGX_STUB_RET_KEY", "SGX_STUB_ECALL_PPID",
    "SGX_STUB_RET_PPID", "SGX_STUB_SIZE", "SGX_STUB_SCHEME"])
def test_a_failure_of_the_enclaves_leaves_everything_as_it_was(server, variable):
    server.efivars.offer(MANIFEST)
    server.csv.write_text("an earlier one")
    with FakePccs(*TAKES_ALL) as pccs:
        done = server.run("-f", server.csv, "-url", pccs.url, "--overwrite", "--mark-complete",
                          environment={**TOKEN, variable: "1"})
        assert done.returncode == FAILED
        assert [body for _, _, body in pccs.requests] == [b"{}"]
    assert server.csv.read_text() == "an earlier one"
    assert server.files() == ["pckid_retrieval.csv"] and server.copies() == []
    assert server.efivars.bits() == (0, 0)


def test_a_missing_output_folder_fails_before_anything_is_done(server, tmp_path):
    log = tmp_path / "calls"
    done = server.run("-f", tmp_path / "nowhere" / "x.csv", environment={"SGX_STUB_LOG": str(log)})
    assert done.returncode == FAILED and "nowhere" in done.stderr
    assert not log.exists() and not server.state.exists()


def test_a_folder_that_stands_in_the_way_is_not_replaced(server):
    server.csv.mkdir()
    assert server.run("--overwrite").returncode == FAILED
    assert server.csv.is_dir()


def test_a_state_folder_that_cannot_be_made_fails_before_anything_is_done(server):
    server.state.write_text("a file")
    done = server.run()
    assert done.returncode == FAILED and "--state" in done.stderr
    assert server.files() == []


def test_efivars_pointing_nowhere_fails_before_anything_is_done(server, tmp_path):
    log = tmp_path / "calls"
    done = server.run("--efivars", tmp_path / "nowhere", environment={"SGX_STUB_LOG": str(log)})
    assert done.returncode == FAILED and "--efivars" in done.stderr
    assert not log.exists() and server.files() == []


def test_options_that_only_say_where_things_are_are_no_wish(server):
    assert server.run("--enclave-dir", "/nonexistent", "--ca", "/nonexistent").returncode == DONE
    assert server.csv.exists()


def test_a_dry_run_shows_all_and_touches_nothing(server):
    server.efivars.offer(MANIFEST)
    with FakePccs(*TAKES_ALL) as pccs:
        done = server.run("--dry-run", "-url", pccs.url, "--mark-complete")
        answer = server.run_json("--dry-run")
        assert pccs.requests == []
    assert done.returncode == DONE
    assert MANIFEST_CSV in done.stdout and registration_of(MANIFEST_CSV) in done.stdout
    assert answer["record"] == {"csv": MANIFEST_CSV, "body": registration_of(MANIFEST_CSV)}
    assert server.files() == [] and server.copies() == [] and not server.state.exists()
    assert server.efivars.bits() == (0, 0)


# ---- registering ----

def test_the_registration_is_intels_byte_for_byte(server):
    for csv in (PLAIN_CSV, MANIFEST_CSV):
        if csv is MANIFEST_CSV:
            server.efivars.offer(MANIFEST)
        with FakePccs(*TAKES_ALL) as pccs:
            done = server.run("-url", pccs.url + "/", environment=TOKEN)
            assert done.returncode == DONE, done.stderr
            (probe, _, empty), (path, headers, body) = pccs.requests
        assert empty == b"{}" and probe == path == PLATFORMS
        assert body.decode() == registration_of(csv)
        assert headers["user-token"] == USER_TOKEN
        assert headers["Content-Type"] == "application/json"
    assert server.files() == []  # -url alone writes no CSV


@pytest.mark.parametrize("word, query", [("STANDARD", ""), ("early", "?update=early"),
                                         ("All", "?update=all")])
def test_update_types(server, word, query):
    with FakePccs(*TAKES_ALL) as pccs:
        assert server.run("-url", pccs.url, "-tcb_update_type", word,
                          environment=TOKEN).returncode == DONE
        assert pccs.requests[1][0] == PLATFORMS + query


def test_a_200_sets_the_completion_bit_and_keeps_the_others(server):
    server.efivars.offer(MANIFEST).status(2, 0x85)
    with FakePccs(*TAKES_ALL) as pccs:
        answer = server.run_json("-f", "x.csv", "-url", pccs.url, environment=TOKEN)
    assert answer["exit"] == DONE and answer["marked_complete"] and answer["taken"] == 1
    assert server.efivars.bits() == (3, 0)


def test_without_a_manifest_nothing_is_marked(server):
    server.efivars.configure().status()
    with FakePccs(*TAKES_ALL) as pccs:
        assert server.run("-url", pccs.url, environment=TOKEN).returncode == DONE
    assert server.efivars.bits() == (0, 0)


def test_mark_complete_marks_after_saving_only(server):
    server.efivars.offer(MANIFEST)
    assert server.run("--mark-complete").returncode == DONE
    assert server.csv.read_text() == MANIFEST_CSV
    assert server.efivars.bits() == (1, 0)


def test_an_error_of_the_firmware_is_left_alone(server):
    server.efivars.offer(MANIFEST).status(0, 0x16)
    with FakePccs(*TAKES_ALL) as pccs:
        done = server.run("-url", pccs.url, environment=TOKEN)
    assert done.returncode == DONE and "SGX is disabled" in done.stderr
    assert server.efivars.bits() == (0, 0x16)


def test_a_missing_status_is_not_created(server):
    server.efivars.offer(MANIFEST)
    for path in server.efivars.folder.glob("SgxRegistrationStatus*"):
        path.unlink()
    with FakePccs(*TAKES_ALL) as pccs:
        answer = server.run_json("-url", pccs.url, environment=TOKEN)
    assert answer["exit"] == DONE and not answer["marked_complete"]
    assert any("no status variable" in warning for warning in answer["warnings"])
    assert list(server.efivars.folder.glob("SgxRegistrationStatus*")) == []


def test_a_status_that_the_firmware_protects_is_a_warning(server):
    server.efivars.offer(MANIFEST).status(0, 0, READ_ONLY)
    with FakePccs(*TAKES_ALL) as pccs:
        answer = server.run_json("-url", pccs.url, environment=TOKEN)
    assert answer["exit"] == DONE and any("read-only" in text for text in answer["warnings"])
    assert server.efivars.bits() == (0, 0)


@pytest.mark.parametrize("status, body, words", [
    (400, "Invalid request parameters.", "does not take these data"),
    (401, "Authentication failed.", "user token is wrong"),
    (404, "No cache data for this platform.", "SGX Factory Reset"),
    (404, "<html>\x1b[31m", "PCCS_URL"),
    (410, "gone", "version 3"), (413, "", "MaxRequestBodySize"), (461, "", "does not know"),
    (462, "", "BIOS and microcode"), (500, "", "log"), (502, "", "API key"), (503, "", "--send"),
    (201, "Created", "no answer that a PCCS gives"), (302, "", "redirect"),
])
def test_what_is_not_200_is_explained_and_loses_nothing(server, status, body, words):
    server.efivars.offer(MANIFEST)
    with FakePccs((400, "probe"), (status, body)) as pccs:
        answer = server.run_json("-f", "x.csv", "-url", pccs.url, environment=TOKEN)
    assert answer["exit"] == NOT_TAKEN and answer["status"] == status
    assert words in answer["explanation"] and "\x1b" not in answer["explanation"]
    assert pccs.url + PLATFORMS in answer["explanation"] and "4711" in answer["explanation"]
    assert ("the reason in detail" in answer["explanation"]) == (status >= 400)
    assert (server.work / "x.csv").read_text() == MANIFEST_CSV
    assert len(server.copies()) == 1
    assert server.efivars.bits() == (0, 0) and not answer["marked_complete"]


def test_a_failed_upload_is_not_marked_even_if_marking_was_asked_for(server):
    server.efivars.offer(MANIFEST)
    with FakePccs((400, ""), (502, "")) as pccs:
        assert server.run("-f", "x.csv", "-url", pccs.url, "--mark-complete",
                          environment=TOKEN).returncode == NOT_TAKEN
    assert server.efivars.bits() == (0, 0)


def test_a_wrong_token_is_known_before_the_enclaves_are_asked(server):
    server.efivars.offer(MANIFEST)
    with FakePccs((401, "Authentication failed.")) as pccs:
        answer = server.run_json("-url", pccs.url, environment=TOKEN)
        assert [body for _, _, body in pccs.requests] == [b"{}"]
    assert answer["exit"] == NOT_TAKEN and "user token" in answer["error"]
    assert server.copies()[0].read_text() == MANIFEST_CSV
    assert server.efivars.bits() == (0, 0)


def test_nobody_at_the_address(server):
    server.efivars.offer(MANIFEST)
    answer = server.run_json("-f", "x.csv", "-url", "http://127.0.0.1:1", environment=TOKEN)
    assert answer["exit"] == NOT_TAKEN
    assert "is the PCCS running" in answer["explanation"]
    assert (server.work / "x.csv").read_text() == MANIFEST_CSV
    assert server.efivars.bits() == (0, 0)


def test_an_all_zero_ppid_is_warned_about(server):
    with FakePccs((400, ""), (404, "No cache data for this platform.")) as pccs:
        answer = server.run_json("-url", pccs.url,
                                 environment={**TOKEN, "SGX_STUB_PPID": "00" * 384})
    assert answer["exit"] == NOT_TAKEN and any("all zero" in text for text in answer["warnings"])


# ---- --send ----

def test_send_registers_each_record_and_does_nothing_else(server, tmp_path):
    second = MANIFEST_CSV.replace(QE_ID, "bb" * 16)
    saved = server.work / "saved.csv"
    saved.write_text(f"{PLAIN_CSV}\n{second}\n,0000,,,61,{MANIFEST}")
    log = tmp_path / "calls"
    server.efivars.offer(MANIFEST)
    with FakePccs((200, "ok")) as pccs:
        answer = server.run_json("--send", saved, "-url", pccs.url,
                                 environment={**TOKEN, "SGX_STUB_LOG": str(log)})
        bodies = [body.decode() for _, _, body in pccs.requests]
    assert answer["exit"] == DONE and (answer["records"], answer["taken"]) == (3, 3)
    assert bodies == [registration_of(line) for line in saved.read_text().split("\n")]
    assert not log.exists() and server.files() == ["saved.csv"] and not server.state.exists()
    assert server.efivars.bits() == (0, 0)


def test_a_refused_record_does_not_stop_the_others(server):
    (server.work / "s.csv").write_text(f"{PLAIN_CSV}\n{PLAIN_CSV}\n{PLAIN_CSV}\n")
    with FakePccs((404, "No cache data"), (200, "ok")) as pccs:
        answer = server.run_json("--send", "s.csv", "-url", pccs.url, environment=TOKEN)
    assert answer["exit"] == NOT_TAKEN and (answer["records"], answer["taken"]) == (3, 2)


def test_a_wrong_token_or_nobody_stops_sending(server):
    (server.work / "s.csv").write_text(f"{PLAIN_CSV}\n{PLAIN_CSV}\n")
    with FakePccs((401, "no")) as pccs:
        assert server.run("--send", "s.csv", "-url", pccs.url,
                          environment=TOKEN).returncode == NOT_TAKEN
        assert len(pccs.requests) == 1
    assert server.run("--send", "s.csv", "-url", "http://127.0.0.1:1",
                      environment=TOKEN).returncode == NOT_TAKEN


@pytest.mark.parametrize("text", ["", "hello", PLAIN_CSV + "\n" + PLAIN_CSV[1:]])
def test_a_broken_file_is_refused_before_anything_is_sent(server, text):
    (server.work / "s.csv").write_text(text)
    with FakePccs((200, "ok")) as pccs:
        done = server.run("--send", "s.csv", "-url", pccs.url, environment=TOKEN)
        assert done.returncode == FAILED and pccs.requests == []
    assert "s.csv" in done.stderr
    assert server.run("--send", "none.csv", "-url", "http://127.0.0.1:1",
                      environment=TOKEN).returncode == FAILED


# ---- platform-id mode ----

def test_platform_id_mode_asks_no_enclave(server, tmp_path):
    log = tmp_path / "calls"
    server.efivars.offer(MANIFEST)
    with FakePccs(*TAKES_ALL) as pccs:
        done = server.run("-platform_id", "ab12", "-f", "x.csv", "-url", pccs.url,
                          environment={**TOKEN, "SGX_STUB_LOG": str(log)})
        assert done.returncode == DONE, done.stderr
        assert pccs.requests[1][2].decode() == (
            '{"pce_id": "0000" ,"qe_id": "61623132" ,"platform_manifest": "%s" }'
            % MANIFEST.upper())
    assert (server.work / "x.csv").read_text() == f",0000,,,61623132,{MANIFEST}"
    assert not log.exists() and server.efivars.bits() == (1, 0)


def test_a_platform_id_may_come_from_standard_input(server):
    server.efivars.offer(MANIFEST)
    assert server.run("-platform_id", "-f", "x.csv", stdin="ab12\nmore\n").returncode == DONE
    assert (server.work / "x.csv").read_text() == f",0000,,,61623132,{MANIFEST}"
    assert server.run("-platform_id", "--overwrite", stdin="").returncode == WRONG_USAGE


def test_a_long_platform_id_is_warned_about_and_a_longer_one_refused(server):
    server.efivars.offer(MANIFEST)
    assert "exceeds" in server.run("-platform_id", "x" * 131).stderr
    assert "exceeds" not in server.run("-platform_id", "x" * 130, "--overwrite").stderr
    assert server.run("-platform_id", "x" * 260, "--overwrite").returncode == DONE
    assert server.run("-platform_id", "x" * 261, "--overwrite").returncode == WRONG_USAGE


@pytest.mark.parametrize("prepare", [
    lambda efivars: efivars,
    lambda efivars: efivars.configure().status(1),
    lambda efivars: efivars.offer(MANIFEST).request(bytes(40)),
    lambda efivars: efivars.offer(MANIFEST).request(ADD_REQUEST_GUID + bytes(195)),
])
def test_without_a_manifest_a_platform_id_is_no_record(server, prepare):
    prepare(server.efivars)
    done = server.run("-platform_id", "ab12", "--mark-complete")
    assert done.returncode == FAILED
    assert server.files() == [] and server.copies() == []
    assert server.run().returncode == DONE  # with the enclaves it is a warning


# ---- options, settings, token ----

@pytest.mark.parametrize("option", ["-h", "-help", "-?", "--help"])
def test_help_exits_0_and_names_every_option(server, option):
    done = server.run(option, is_plain=True)
    assert done.returncode == DONE
    for word in ("-f FILE", "-url", "-defaulturl", "-user_token", "-proxy_type", "-proxy_url",
                 "-use_secure_cert", "-tcb_update_type", "-platform_id", "--send", "--dry-run"):
        assert word in done.stdout


@pytest.mark.parametrize("arguments", [
    ["-foo", "x.csv"], ["x.csv"], ["-f"], ["-f", "-url"], ["-proxy_type", "some"],
    ["-use_secure_cert", "yes"], ["-tcb_update_type", "late"], ["-url", "localhost:8081"],
    ["-url", "https://localhost/sgx/certification/v4/platforms"], ["-proxy_type", "manual"],
    ["--send", "x.csv"], ["--send", "x.csv", "-url", "http://127.0.0.1:1", "-f", "y.csv"],
    ["--json=1"], ["-platform_id", ""],
])
def test_wrong_usage_exits_2_and_does_nothing(server, arguments):
    done = server.run(*arguments, environment=TOKEN)
    assert done.returncode == WRONG_USAGE, done.stderr
    assert server.files() == [] and server.copies() == []


def test_a_missing_token_without_a_terminal_exits_2(server):
    done = server.run("-url", "http://127.0.0.1:1")
    assert done.returncode == WRONG_USAGE
    assert "PCCS_USER_TOKEN" in done.stderr and server.copies() == []


def test_where_the_token_comes_from(server, tmp_path):
    path = tmp_path / "token"
    path.write_text("from a file\nsecond line")
    settings = tmp_path / "network_setting.conf"
    settings.write_text("USER_TOKEN = from the settings\n")
    cases = [
        ([], {"PCCS_USER_TOKEN_FILE": str(path)}, "from a file"),
        ([], {"PCCS_USER_TOKEN_FILE": str(path), "PCCS_USER_TOKEN": "from the environment"},
         "from the environment"),
        (["-user_token", "from an option"], {"PCCS_USER_TOKEN": "from the environment"},
         "from an option"),
        (["--config", settings], {}, "fromthesettings"),
    ]
    for arguments, environment, expected in cases:
        with FakePccs(*TAKES_ALL) as pccs:
            done = server.run("-url", pccs.url, *arguments, environment=environment)
            assert done.returncode == DONE, done.stderr
            assert {headers["user-token"] for _, headers, _ in pccs.requests} == {expected}
            assert expected not in done.stdout + done.stderr
    assert server.run("-url", "http://127.0.0.1:1",
                      environment={"PCCS_USER_TOKEN_FILE": "/nonexistent"}).returncode == FAILED


@pytest.fixture
def installed(server, tmp_path):
    """The tool in a folder of its own, as Intel's package has it, with its settings."""
    folder = tmp_path / "opt"
    folder.mkdir()
    shutil.copy(TOOL, folder / "PCKIDRetrievalTool")
    (tmp_path / "link").symlink_to(folder / "PCKIDRetrievalTool")

    def run(settings, *arguments, **more):
        (folder / "network_setting.conf").write_text(settings)
        return server.run(*arguments, tool=tmp_path / "link", **more)

    return run


def test_settings_lie_beside_the_program_and_name_the_whole_url(server, installed):
    with FakePccs(*TAKES_ALL) as pccs:
        done = installed(f"# a comment\nPCCS_URL = {pccs.url}/whole/path\nUSER_TOKEN=a b=c\n"
                         "TCB_UPDATE_TYPE=Early\nCOLOUR=red\n")
        assert done.returncode == DONE, done.stderr
        assert [path for path, _, _ in pccs.requests] == ["/whole/path?update=early"] * 2
        assert pccs.requests[1][1]["user-token"] == "ab=c"
    assert server.csv.exists()  # no wish on the command line: both
    assert "PCCS_URL = " in done.stdout and "USER_TOKEN = ****" in done.stdout
    assert "ab=c" not in done.stdout + done.stderr


def test_the_settings_that_are_shipped_set_nothing(server):
    done = server.run("--config", ROOT / "config" / "network_setting.conf")
    assert (done.returncode, "=" in done.stdout) == (DONE, False)
    assert server.run("--config", "/nonexistent").returncode == FAILED


def test_the_command_line_overrules_the_settings(server, installed):
    with FakePccs(*TAKES_ALL) as pccs:
        done = installed("PCCS_URL=http://127.0.0.1:1/x\nTCB_UPDATE_TYPE=all\nUSER_TOKEN=t\n"
                         "PROXY_TYPE=manual\nPROXY_URL=http://127.0.0.1:1\n",
                         "-url", pccs.url, "-tcb_update_type", "early", "-proxy_type", "direct")
        assert done.returncode == DONE, done.stderr
        assert pccs.requests[1][0] == PLATFORMS + "?update=early"
    assert "PCCS_URL" not in done.stdout and server.files() == []


@pytest.mark.parametrize("line", ["USE_SECURE_CERT = maybe", "TCB_UPDATE_TYPE=late",
                                  "PROXY_TYPE=none", "PCCS_URL=localhost"])
def test_a_bad_value_in_the_settings_exits_1_with_its_line(server, installed, line):
    done = installed(f"# first\n\n{line}\n")
    assert done.returncode == FAILED and "line 3" in done.stderr
    assert server.files() == []


def test_a_proxy_given_by_option_is_used_also_for_loopback(server):
    with FakePccs((400, ""), (200, "")) as proxy:
        done = server.run("-url", "http://127.0.0.1:9", "-proxy_url", proxy.url, environment=TOKEN)
        assert done.returncode == DONE, done.stderr
        assert proxy.requests[1][0] == "http://127.0.0.1:9" + PLATFORMS
        assert len(proxy.requests) == 2


def test_a_proxy_of_the_environment_is_not_used_for_loopback(server):
    with FakePccs(*TAKES_ALL) as pccs:
        nobody = "http://127.0.0.1:1"
        done = server.run("-url", pccs.url,
                          environment={**TOKEN, "http_proxy": nobody, "all_proxy": nobody})
        assert done.returncode == DONE, done.stderr


def test_a_token_does_not_travel_readable(server):
    done = server.run("-url", "http://pccs.invalid:8081", environment=TOKEN)
    assert done.returncode == NOT_TAKEN and "https://" in done.stderr


def test_the_runtime_is_found_by_the_loader(server):
    done = server.run("--efivars", server.efivars.folder, "--state", server.state, is_plain=True,
                      environment={"LD_LIBRARY_PATH": str(stub_runtime(BUILD).parent)})
    assert done.returncode == DONE, done.stderr
    assert server.csv.read_text() == PLAIN_CSV


def test_quiet_says_nothing_when_all_is_well(server):
    server.efivars.offer(MANIFEST)
    done = server.run("--quiet")
    assert (done.returncode, done.stdout, done.stderr) == (DONE, "", "")


# ---- the real service ----

def ca_of(service):
    return str(service.folder / "ssl_key" / "ca.crt")


def https(service):
    return f"https://localhost:{service.port}"


def test_offline_service_queues_what_the_tool_sends(server, start_service):
    service = start_service()
    server.efivars.offer(MANIFEST)
    answer = server.run_json("-f", "x.csv", "-url", https(service), "--ca", ca_of(service),
                             environment=TOKEN)
    assert answer["exit"] == DONE, answer
    assert answer["marked_complete"]
    rows = queue(service)
    assert [(row["qe_id"], row["platform_manifest"]) for row in rows] == [
        (QE_ID.upper(), MANIFEST)]


def test_a_req_service_takes_both_kinds_of_platforms(server, start_service, simulator, fleet):
    service = start_service({**simulator.configuration(), "CachingFillMode": "REQ"})
    single = next(row for row in fleet if not row["platform_manifest"])
    multi = next(row for row in fleet if row["platform_manifest"])
    for number, platform in enumerate((single, multi)):
        machine = Server(server.folder / f"machine{number}")
        machine.environment = stub_environment(platform)
        machine.efivars.offer(platform["platform_manifest"], 3)
        done = machine.run("-url", https(service), environment={
            **TOKEN, "CURL_CA_BUNDLE": ca_of(service)})
        assert done.returncode == DONE, done.stderr
        assert registration(platform)["qe_id"] in machine.copies()[0].read_text().upper()
        if platform["platform_manifest"]:
            assert machine.efivars.bits() == (1, 0)
            machine.efivars.reboot()
            assert machine.run_json()["manifest"]["state"] == "manifest-consumed"


def test_an_unregistered_multi_package_server_and_its_way_out(server, start_service, simulator,
                                                              fleet):
    """Without its manifest the PCS knows nothing; the saved record is sent, and all is well."""
    service = start_service({**simulator.configuration(), "CachingFillMode": "REQ"})
    platform = next(row for row in fleet if row["platform_manifest"])
    server.environment = stub_environment(platform)
    server.efivars.offer(platform["platform_manifest"])
    assert server.run("-f", "saved.csv").returncode == DONE
    server.efivars.status(1).reboot()
    where = ["-url", https(service), "--ca", ca_of(service)]
    lost = server.run_json(*where, environment=TOKEN)
    assert lost["exit"] == NOT_TAKEN and lost["status"] == 404
    assert "SGX Factory Reset" in lost["explanation"]
    assert lost["manifest"]["state"] == "manifest-consumed"
    assert server.run("--send", "saved.csv", *where, environment=TOKEN).returncode == DONE


def test_a_certificate_that_is_not_trusted_is_named(server, start_service):
    service = start_service()
    server.efivars.offer(MANIFEST)
    answer = server.run_json("-f", "x.csv", "-url", https(service), environment=TOKEN)
    assert answer["exit"] == NOT_TAKEN
    for words in ("not trusted", "subject:", "issuer:", "--ca FILE", "CURL_CA_BUNDLE"):
        assert words in answer["explanation"], answer["explanation"]
    assert server.efivars.bits() == (0, 0)
    assert queue(service) == []


def test_every_way_to_name_the_trust(server, start_service):
    service = start_service()
    for variable in ("CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"):
        assert server.run("-url", https(service), environment={
            **TOKEN, variable: ca_of(service)}).returncode == DONE
    done = server.run("-url", https(service), "-use_secure_cert", "FALSE", environment=TOKEN)
    assert done.returncode == DONE and "not checked" in done.stderr
    assert server.run("-url", https(service), "--ca", "/nonexistent",
                      environment=TOKEN).returncode == FAILED
    assert server.files() == []


def test_a_wrong_token_at_the_real_service(server, start_service):
    service = start_service()
    answer = server.run_json("-url", https(service), "--ca", ca_of(service),
                             environment={"PCCS_USER_TOKEN": "wrong"})
    assert answer["exit"] == NOT_TAKEN and answer["status"] == 401
    assert queue(service) == []


def test_the_object_of_json_is_the_only_output(server):
    done = server.run("--json")
    assert json.loads(done.stdout)["result"] == "done"
    assert PPID not in done.stdout and CPU_SVN not in done.stdout
