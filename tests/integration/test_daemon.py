# SPDX-License-Identifier: BSD-3-Clause
"""The program around the cache: start, check, signals, health, metrics, dashboard, ceilings."""
import hashlib
import json
import re
import signal
import socket
import ssl
import stat
import subprocess
import threading
import time

import pytest

from harness import (
    ADMIN_TOKEN, USER_TOKEN, V4, Service, clean_environment, program, sha512,
)


# ---- command line ----

def run_bare(folder, *arguments):
    return subprocess.run(
        [str(program("pccsd")), *arguments], cwd=folder, env=clean_environment(),
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
    )


def test_help_and_version_exit_0(tmp_path):
    assert run_bare(tmp_path, "--help").stdout.startswith("usage: pccsd")
    assert re.fullmatch(r"pccsd \d+\.\d+\.\d+\n", run_bare(tmp_path, "--version").stdout)


@pytest.mark.parametrize(
    "arguments", [["--nonsense"], ["-c"], ["extra"], ["--check", "--init-tls"]]
)
def test_wrong_usage_exits_2(tmp_path, arguments):
    assert run_bare(tmp_path, *arguments).returncode == 2


def test_missing_configuration_exits_1_and_says_where_it_looked(tmp_path):
    done = run_bare(tmp_path)
    assert done.returncode == 1
    assert "config/default.json" in done.stderr and "/etc/pccs/pccs.json" in done.stderr
    assert "nowhere.json" in run_bare(tmp_path, "-c", "nowhere.json").stderr


def test_default_configuration_is_found(tmp_path):
    service = Service(tmp_path)
    service.make_tls()
    assert run_bare(tmp_path, "--check").returncode == 0


@pytest.mark.parametrize(
    "key, value", [("HTTPS_PORT", "http"), ("CachingFillMode", "EAGER"), ("AdminTokenHash", "abc"),
                   ("RefreshSchedule", "whenever"), ("TrustAnchors", ["missing.pem"])]
)
def test_wrong_value_exits_1_and_names_the_key_or_file(tmp_path, key, value):
    service = Service(tmp_path, {key: value})
    done = service.run("--check")
    assert done.returncode == 1
    assert (value[0] if isinstance(value, list) else key) in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_check_prints_values_and_hides_secrets(tmp_path):
    service = Service(tmp_path, {"ApiKey": "very-secret-key", "NoSuchKey": 1})
    service.make_tls()
    done = service.run("--check")
    assert done.returncode == 0, done.stderr
    assert "CachingFillMode" in done.stdout and "OFFLINE" in done.stdout
    assert "very-secret-key" not in done.stdout + done.stderr
    assert sha512(ADMIN_TOKEN) not in done.stdout
    assert "NoSuchKey" in done.stderr
    assert not (tmp_path / "pckcache.db").exists()


def test_check_of_a_used_store_is_fine(tmp_path):
    service = Service(tmp_path)
    with service:
        done = service.run("--check")  # a running service is no hindrance
        assert done.returncode == 0, done.stderr
        assert "store: version 5" in done.stdout
    assert (tmp_path / "pckcache.db").exists()
    assert service.run("--check").returncode == 0


def test_failed_start_is_one_line_on_stderr_and_one_in_the_log(tmp_path, start_service):
    first = start_service()
    for target in ("-", "logs/pccs_server.log"):
        service = Service(tmp_path / "second", {"HTTPS_PORT": first.port, "LogFile": target})
        if not (service.folder / "ssl_key").exists():
            service.make_tls()
        done = service.run()
        last = done.stderr.strip().splitlines()[-1]
        assert done.returncode == 1 and last.startswith("pccsd: ")
        assert "start-failed" not in done.stderr
    log = (service.folder / "logs" / "pccs_server.log").read_text()
    assert log.count("start-failed") == 1


def test_missing_tls_files_exit_1_and_name_the_cure(tmp_path):
    service = Service(tmp_path)
    for arguments in ([], ["--check"]):
        done = service.run(*arguments)
        assert done.returncode == 1
        assert "pccsadmin init" in done.stderr and "pccsd --init-tls" in done.stderr
    assert not (tmp_path / "pckcache.db").exists()


def test_init_tls_makes_a_key_pair_once(tmp_path):
    service = Service(tmp_path)
    service.make_tls()
    key = tmp_path / "ssl_key" / "private.pem"
    before = key.read_bytes()
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "ssl_key" / "ca.crt").stat().st_mode) & 0o044
    done = service.run("--init-tls")
    assert done.returncode == 1 and "exists" in done.stderr
    assert key.read_bytes() == before
    shown = subprocess.run(
        ["openssl", "x509", "-noout", "-text", "-in", str(tmp_path / "ssl_key" / "file.crt")],
        capture_output=True, text=True, check=True,
    ).stdout
    for part in ("prime256v1", "DNS:localhost", "IP Address:127.0.0.1", "TLS Web Server"):
        assert part in shown


# ---- layers ----

def test_later_layers_win(tmp_path):
    service = Service(tmp_path, {"LogLevel": "info", "ClientCacheSeconds": 1})
    service.make_tls()
    (tmp_path / "config" / "production.json").write_text('{"ClientCacheSeconds": 2} // comment')
    (tmp_path / "config" / "local.json").write_text('{"UpstreamRetries": 3}')
    (tmp_path / "secret").write_text("4\n")
    assert "ClientCacheSeconds = 1" in service.run("--check").stdout
    service.environment = {"NODE_ENV": "production", "PCCS_UPSTREAM_TIMEOUT_SECONDS_FILE": "secret"}
    shown = service.run("--check").stdout
    for line in ("ClientCacheSeconds = 2", "UpstreamRetries = 3", "UpstreamTimeoutSeconds = 4"):
        assert line in shown


def test_unknown_key_is_a_warning_that_names_it(start_service):
    service = start_service({"CacheFillMode": "LAZY"})
    service.wait_for_log("config-unknown-key")
    assert "CacheFillMode" in service.log()


# ---- one at a time ----

def test_second_service_on_the_port_is_refused(start_service, tmp_path):
    first = start_service()
    second = Service(tmp_path / "second", {"HTTPS_PORT": first.port})
    second.make_tls()
    done = second.run()
    assert done.returncode == 1
    assert str(first.port) in done.stderr and "use" in done.stderr
    assert first.get("/healthz/live").status == 200


def test_second_service_on_the_database_is_refused(start_service, tmp_path):
    first = start_service()
    path = first.folder / "pckcache.db"
    second = Service(tmp_path / "second", {"sqlite": {"options": {"storage": str(path)}}})
    second.make_tls()
    done = second.run()
    assert done.returncode == 1
    assert str(path) in done.stderr
    assert first.get("/healthz/ready").status == 200


# ---- signals ----

@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_ends_the_service_with_0(start_service, number):
    service = start_service()
    assert service.stop(number) == 0


def test_idle_connections_do_not_hold_up_the_end(start_service):
    service = start_service()
    connection = service.connect()
    assert service.request("GET", "/healthz/live", connection=connection).status == 200
    started = time.monotonic()
    assert service.stop() == 0
    assert time.monotonic() - started < 5
    connection.close()


def wait_until_refused(port):
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=2).close()
        except OSError:
            return
        time.sleep(0.02)
    raise AssertionError("connections are still accepted")


def test_what_is_in_flight_at_the_end_is_answered(start_service):
    service = start_service()
    with service.open_socket() as peer:
        head = (f"POST {V4}/platforms HTTP/1.1\r\nHost: x\r\nuser-token: {USER_TOKEN}\r\n"
                "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n")
        peer.sendall(head.encode() + b"{")
        time.sleep(0.3)
        service.program.send(signal.SIGTERM)
        service.wait_for_log(" stop ")
        wait_until_refused(service.port)
        peer.sendall(b"}")
        assert peer.recv(4096).startswith(b"HTTP/1.1 400 ")
    assert service.stop() == 0


def test_a_miss_in_flight_at_the_end_is_answered(start_service, simulator):
    service = start_service({**simulator.configuration(), "CachingFillMode": "LAZY"})
    simulator.control("fault", kind="delay", endpoint="identity-qe", delay_ms=1000)
    answers = []
    client = threading.Thread(target=lambda: answers.append(service.get(V4 + "/qe/identity")))
    client.start()
    time.sleep(0.4)
    assert service.stop() == 0
    client.join()
    simulator.control("clear")
    assert [answer.status for answer in answers] == [200]


def test_systemd_is_told_how_the_service_is(start_service, tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notified:
        notified.bind(str(tmp_path / "notify"))
        notified.settimeout(10)
        service = start_service(environment={"NOTIFY_SOCKET": str(tmp_path / "notify")})

        def wait_for(word):
            while word not in notified.recv(4096).decode():
                pass

        wait_for("READY=1")
        wait_for("WATCHDOG=1")
        service.program.send(signal.SIGHUP)
        wait_for("RELOADING=1")
        wait_for("READY=1")
        service.program.send(signal.SIGTERM)
        wait_for("STOPPING=1")
        assert service.stop() == 0


def test_reload_takes_tokens_tls_and_level_without_dropping_a_connection(start_service):
    service = start_service({"LogLevel": "info"})
    connection = service.connect()
    path = V4 + "/platforms"
    headers = {"admin-token": ADMIN_TOKEN}
    assert service.request("GET", path, headers=headers, connection=connection).status == 200
    old_peer = connection.sock
    old_tls = service.tls
    service.make_tls()
    service.write(AdminTokenHash=sha512("another"), LogLevel="debug")
    service.program.send(signal.SIGHUP)
    service.wait_for_log(" reload ")
    assert service.request("GET", path, headers=headers, connection=connection).status == 401
    assert service.request("GET", path, headers={"admin-token": "another"},
                           connection=connection).status == 200
    assert connection.sock is old_peer
    connection.close()
    assert service.get("/healthz/live").status == 200
    service.tls = old_tls
    with pytest.raises(ssl.SSLError):
        service.get("/healthz/live")
    assert " request " in service.log()


@pytest.mark.parametrize("break_it", ["json", "key", "schedule"])
def test_reload_that_fails_keeps_the_old_configuration(start_service, break_it):
    service = start_service()
    if break_it == "json":
        service.config_path.write_text("{")
    elif break_it == "key":
        (service.folder / "ssl_key" / "private.pem").write_text("not a key")
        service.write(AdminTokenHash=sha512("another"))
    else:
        service.write(AdminTokenHash=sha512("another"), RefreshSchedule="never ever")
    service.program.send(signal.SIGHUP)
    service.wait_for_log("reload-failed")
    assert service.admin_get(V4 + "/platforms").status == 200


def test_log_file_is_reopened_on_reload(start_service):
    service = start_service({"LogFile": "logs/pccs_server.log"})
    log = service.folder / "logs" / "pccs_server.log"
    assert " ready " in log.read_text()
    log.rename(log.with_suffix(".1"))
    service.program.send(signal.SIGHUP)
    deadline = time.monotonic() + 10
    while not log.exists() or " reload " not in log.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.05)


# ---- health, metrics, dashboard ----

def test_health_tells_live_ready_and_startup(offline):
    assert offline.get("/healthz/live").json()["status"] == "live"
    ready = offline.get("/healthz/ready").json()
    assert ready["status"] == "ready" and ready["mode"] == "OFFLINE" and ready["store"] == "sqlite"
    assert ready["trust_anchor"] == "intel" and "warning" not in ready
    assert offline.get("/healthz/startup").json()["status"] == "started"
    for alias in ("/health/live", "/health/ready", "/health/startup", "/healthz", "/readyz"):
        assert offline.get(alias).status == 200, alias


def test_replaced_anchor_is_a_warning_in_log_and_ready(start_service, simulator):
    service = start_service({"TrustAnchors": [str(simulator.root)]})
    service.wait_for_log("anchor-replaced")
    ready = service.get("/healthz/ready").json()
    assert ready["trust_anchor"] == "replaced" and "warning" in ready
    assert "replaced" in service.get("/").text


def test_metrics_count_requests_by_route_and_code(start_service):
    service = start_service()
    for _ in range(3):
        service.get(V4 + "/tcb")
    service.get("/nothing")
    metrics = service.metrics()
    assert metrics['pccs_requests_total{route="tcb",code="400"}'] == 3
    assert metrics['pccs_requests_total{route="unknown",code="404"}'] == 1
    assert metrics['pccs_request_seconds_count{route="tcb"}'] == 3
    expiry = metrics["pccs_tls_certificate_expiry_timestamp_seconds"]
    assert expiry > time.time()


def test_metrics_token_guards_the_metrics(start_service):
    service = start_service({"MetricsToken": sha512("scrape")})
    assert service.get("/metrics").status == 401
    assert service.request("GET", "/metrics", headers={"metrics-token": "x"}).status == 401
    for headers in ({"metrics-token": "scrape"}, {"Authorization": "Bearer scrape"}):
        answer = service.request("GET", "/metrics", headers=headers)
        assert answer.status == 200
        assert answer.header("Content-Type").startswith("text/plain; version=0.0.4")


def test_pages_can_be_switched_off(start_service):
    service = start_service({"DashboardEnabled": False, "MetricsEnabled": False})
    assert service.get("/").status == 404
    assert service.get("/metrics").status == 404
    assert service.get("/healthz/live").status == 200


def test_dashboard_needs_nothing_from_elsewhere(offline):
    answer = offline.get("/")
    assert answer.header("Content-Type") == "text/html; charset=utf-8"
    style = re.search("<style>(.*?)</style>", answer.text, re.S)[1]
    digest = __import__("base64").b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = answer.header("Content-Security-Policy")
    assert f"style-src 'sha256-{digest}'" in policy and "default-src 'none'" in policy
    assert not re.search(r"<script|<img|<link|src=|https?://", answer.text)
    assert '<html lang="en">' in answer.text and "OFFLINE" in answer.text


# ---- ceilings, clock, process ----

def test_requests_per_second_is_a_ceiling_with_retry_after(start_service):
    service = start_service({"RequestsPerSecond": 5})
    connection = service.connect()
    path = V4 + "/rootcacrl"
    answers = [service.request("GET", path, connection=connection) for _ in range(30)]
    refused = [answer for answer in answers if answer.status == 503]
    assert {answer.status for answer in answers} == {404, 503}
    assert refused[0].header("Retry-After") == "1" and refused[0].body == b""
    assert all(service.request("GET", "/healthz/live", connection=connection).status == 200
               for _ in range(20))
    time.sleep(1.1)
    assert service.request("GET", path, connection=connection).status == 404
    ceilings = service.metrics()['pccs_ceilings_reached_total{ceiling="requests_per_second"}']
    assert ceilings >= len(refused)
    connection.close()


def test_shifted_clock_is_a_warning(start_service):
    service = start_service(environment={"PCCS_TEST_TIME_AT": "2025-07-01T00:00:00Z"})
    service.wait_for_log("test-clock")
    assert service.get("/healthz/ready").json()["started_at"].startswith("2025-07-01T00:0")


@pytest.mark.parametrize("name, value", [("PCCS_TEST_TIME_AT", "yesterday"),
                                         ("PCCS_TEST_TIME_OFFSET", "1 day")])
def test_malformed_test_clock_is_refused(tmp_path, name, value):
    service = Service(tmp_path)
    service.make_tls()
    service.environment = {name: value}
    done = service.run()
    assert done.returncode == 1 and name in done.stderr


def test_process_never_dumps_core(offline):
    limits = open(f"/proc/{offline.program.process.pid}/limits").read()
    assert re.search(r"Max core file size +0 +0 ", limits)


def test_log_as_json_is_json_on_every_line(start_service):
    service = start_service({"LogFormat": "json"})
    service.get(V4 + "/tcb")
    service.wait_for_log("request-refused")
    for line in service.log().splitlines():
        assert {"time", "level", "event"} <= json.loads(line).keys()


def test_fips_mode_starts_or_says_that_the_provider_is_missing(tmp_path):
    service = Service(tmp_path, {"OPENSSL_FIPS_MODE": True})
    done = service.run("--check")
    assert done.returncode == 1 and ("FIPS" in done.stderr or "TLS" in done.stderr)
