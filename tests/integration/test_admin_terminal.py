# SPDX-License-Identifier: BSD-3-Clause
"""pccsadmin at a terminal: prompts without echo, questions, the progress bar."""
import json
import os

import pytest

from admin import Admin
from clients import queue, synthetic_platform
from harness import ADMIN_TOKEN, V4, Simulator, clean_environment, program, sha512
from terminal import Terminal

NAMES = ("enc_ppid", "platform_manifest", "qe_id", "pce_id", "cpu_svn", "pce_svn")
ASKS_TOKEN = "administrator password for PCCS service:"


@pytest.fixture
def admin(tmp_path):
    folder = tmp_path / "admin"
    folder.mkdir()
    return Admin(folder)


def at_terminal(admin, *arguments, environment=None, **more):
    return Terminal([program("pccsadmin"), *arguments], clean_environment(environment),
                    admin.folder, **more)


def get(admin, service, *arguments):
    return at_terminal(admin, "get", "-u", f"https://localhost:{service.port}{V4}/platforms",
                       "--ca", service.folder / "ssl_key" / "ca.crt", *arguments)


def rows(*platforms):
    return [{name: platform[name] for name in NAMES} for platform in platforms]


def test_a_token_is_asked_for_without_echo(admin, offline):
    with get(admin, offline) as terminal:
        terminal.expect(ASKS_TOKEN)
        terminal.wait_for_echo(False)
        terminal.type(ADMIN_TOKEN)
        assert terminal.end() == 0, terminal.seen
        assert ADMIN_TOKEN not in terminal.seen
        assert "saved successfully" in terminal.seen
        assert terminal.echoes()


def test_an_interrupt_at_the_prompt_gives_the_echo_back(admin, offline):
    with get(admin, offline) as terminal:
        terminal.expect(ASKS_TOKEN)
        terminal.wait_for_echo(False)
        terminal.type("\x03", end="")
        assert terminal.end() == -2, terminal.seen
        assert terminal.echoes()
    assert os.listdir(admin.folder) == []


def test_overwriting_is_asked_before_anything_is_done(admin, start_service):
    service = start_service({"CachingFillMode": "OFFLINE"})
    service.post_json(f"{V4}/platforms", synthetic_platform(1))
    kept = admin.write("platform_list.json", "precious")
    with get(admin, service) as terminal:
        terminal.expect("File platform_list.json already exists. Overwrite? (y/n) ")
        terminal.type("perhaps")
        terminal.expect("Overwrite? (y/n) ")
        terminal.type("n")
        assert terminal.end() == 1, terminal.seen
        assert ASKS_TOKEN not in terminal.seen
    assert kept.read_text() == "precious" and len(queue(service)) == 1
    with get(admin, service) as terminal:
        terminal.expect("Overwrite? (y/n) ")
        terminal.type("y")
        terminal.expect(ASKS_TOKEN)
        terminal.wait_for_echo(False)
        terminal.type(ADMIN_TOKEN)
        assert terminal.end() == 0, terminal.seen
    assert len(json.loads(kept.read_text())) == 1


def test_hash_token_asks_twice(admin):
    for second, status in (("a token", 0), ("another", 1)):
        with at_terminal(admin, "hash-token") as terminal:
            terminal.expect("Token: ")
            terminal.wait_for_echo(False)
            terminal.type("a token")
            terminal.expect("again: ")
            terminal.wait_for_echo(False)
            terminal.type(second)
            assert terminal.end() == status, terminal.seen
            assert "a token" not in terminal.seen
            assert (sha512("a token") in terminal.seen) == (status == 0)
            assert ("differ" in terminal.seen) == (status == 1)


def test_a_long_fetch_shows_counts_and_the_time_left(admin, tmp_path):
    with Simulator(tmp_path / "slow", "--generate", "200", "--delay-ms", "100") as slow:
        admin.write("platform_list.json",
                    rows(*(one for one in slow.fleet() if one["name"].startswith("gen-"))))
        for columns, bar in ((100, True), (50, False)):
            with at_terminal(admin, "fetch", "-u", slow.uri, "--trust-anchor", slow.root, "--yes",
                             columns=columns) as terminal:
                terminal.expect(" of 200 platforms, ")
                terminal.expect(" s left")
                assert ("#" in terminal.seen) == bar
                assert terminal.end() == 0, terminal.seen
                last = terminal.seen.rstrip().rsplit("\r\x1b[K", 1)[-1]
                assert "left" not in last and "saved successfully" in last
    done = admin.run("fetch", "--help")
    assert "\x1b" not in done.out + done.err


def test_no_bar_where_standard_error_is_no_terminal(admin, tmp_path):
    with Simulator(tmp_path / "slow", "--delay-ms", "250") as slow:
        admin.write("platform_list.json", rows(*slow.fleet()))
        done = admin.fetch(slow, "-q", "--retries", "0")
        assert "\x1b" not in done.err and "left" not in done.err, done


@pytest.mark.parametrize("answers,file", [(["n"], None), (["y", ""], "not_available.json"),
                                          (["y", "mine.json"], "mine.json")])
def test_the_list_of_what_is_not_available_is_offered(admin, simulator, fleet, answers, file):
    simulator.control("reset")
    admin.write("platform_list.json",
                rows(next(one for one in fleet if one["name"] == "e5-gaps")))
    with at_terminal(admin, "fetch", "-u", simulator.uri, "--trust-anchor",
                     simulator.root) as terminal:
        terminal.expect("Some certificates are 'Not available'. Do you want to save the list?(y/n)")
        terminal.type(answers[0])
        if len(answers) > 1:
            terminal.expect("default name not_available.json):")
            terminal.type(answers[1])
        assert terminal.end() == 0, terminal.seen
    written = set(os.listdir(admin.folder)) - {"platform_list.json", "platform_collaterals.json"}
    assert written == ({file} if file else set())


def test_init_asks_what_is_not_given(admin):
    with at_terminal(admin, "init") as terminal:
        terminal.expect("Port to listen on [8081]: ")
        terminal.type("18443")
        terminal.expect("other machines? (y/n) ")
        terminal.type("y")
        terminal.expect("[LAZY]: ")
        terminal.type("")
        terminal.expect("API key for Intel's PCS (Enter: none): ")
        terminal.wait_for_echo(False)
        terminal.type("")
        for token in ("Admin-token-1234", "Admin-token-1234", "User-token-5678", "User-token-5678"):
            terminal.expect("oken")
            terminal.expect(": ")
            terminal.wait_for_echo(False)
            terminal.type(token)
        assert terminal.end() == 0, terminal.seen
        assert "Admin-token-1234" not in terminal.seen
    text = (admin.folder / "config" / "default.json").read_text()
    made = json.loads("\n".join(text.splitlines()[1:]))
    assert (made["HTTPS_PORT"], made["hosts"]) == (18443, "0.0.0.0")
    assert made["CachingFillMode"] == "LAZY"
    assert made["UserTokenHash"] == sha512("User-token-5678")
