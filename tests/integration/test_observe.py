# SPDX-License-Identifier: BSD-3-Clause
"""What operators see: metrics that promtool takes and that tell of every part, and a log that tells
nothing it must not."""
import json
import os
import pathlib
import re
import shutil
import socket
import sqlite3
import subprocess
import time

import pytest

from clients import Administrator, pckcert_path, register, registration, upload
from harness import (
    ADMIN_TOKEN, ROOT, TDX, USER_TOKEN, V4, Service, clean_environment, program, sha512,
)

MONITORING = ROOT / "packaging" / "monitoring"


def promtool():
    """promtool, from the PATH or as ./dev unpacked it; without it a test skips."""
    own = ROOT / "build" / "tools" / "usr" / "bin" / "promtool"
    found = os.environ.get("PCCS_PROMTOOL") or (str(own) if own.exists() else None)
    found = found or shutil.which("promtool")
    if found is None:
        pytest.skip("no promtool: it is in Debian's package prometheus")
    return found


def run_promtool(*arguments, text=None, cwd=None):
    return subprocess.run([promtool(), *arguments], input=text, capture_output=True, text=True,
                          timeout=60, cwd=cwd)


@pytest.fixture(scope="module")
def used(simulator, fleet, tmp_path_factory):
    """A service in LAZY mode that has served, refused, registered, uploaded and refreshed."""
    folder = tmp_path_factory.mktemp("used")
    with Service(folder, {**simulator.configuration(), "CachingFillMode": "LAZY",
                          "LogFormat": "json", "LogLevel": "debug",
                          "ApiKey": "an-api-key-that-nobody-may-see"}) as service:
        service.sent = stream(service, simulator, fleet)
        yield service


def stream(service, simulator, fleet):
    """Asks everything once, well and badly; returns the secrets that went over the wire."""
    single = next(p for p in fleet if not p["platform_manifest"])
    double = next(p for p in fleet if p["platform_manifest"])
    wrong = "not-the-token-0123456789abcdef"
    assert register(service, single).status == 200
    assert register(service, double, "?update=all").status == 200
    service.post_json(f"{V4}/platforms", registration(single), ("user-token", wrong))
    service.post_json(f"{V4}/platforms", registration(double, qe_id=""))
    service.post_json(f"{V4}/platforms", registration(double, enc_ppid="zz"))
    service.post_json(f"{V4}/platforms", json.dumps(registration(double))[:-40])
    for platform in fleet[:6]:
        service.get(pckcert_path(platform))
        service.get(pckcert_path(platform, ppid=platform["enc_ppid"][:-2]))
        service.get(pckcert_path(platform) + "&nonsense=" + platform["enc_ppid"])
    for path in (f"{V4}/qe/identity", f"{V4}/qve/identity", f"{TDX}/qe/identity",
                 f"{V4}/rootcacrl", f"{V4}/tcb?fmspc={single['fmspc']}", f"{V4}/tcb?fmspc=x",
                 f"{V4}/tcb?fmspc=FFFFFFFFFFFF", f"{V4}/pckcrl?ca=platform", "/nothing", "/"):
        service.get(path)
        service.get(path)
    for source in ("", "?source=[]", "?source=reg_na"):
        service.admin_get(f"{V4}/platforms{source}")
    service.request("GET", f"{V4}/platforms", headers={"admin-token": wrong})
    service.request("GET", f"{V4}/platforms?admin-token={ADMIN_TOKEN.replace(' ', '+')}")
    file = Administrator(simulator).file([single, double])
    assert upload(service, file).status == 200
    file["collaterals"]["qeidentity"] = file["collaterals"]["qeidentity"].replace("QE", "QF", 1)
    assert upload(service, file).status in (400, 460)
    simulator.control("fault", kind="status", endpoint="identity-qae", status=500)
    service.get(f"{V4}/qae/identity")
    simulator.control("clear")
    refreshed = service.request("POST", f"{V4}/refresh", headers={"admin-token": ADMIN_TOKEN})
    assert refreshed.status in (200, 503)
    return {"tokens": [USER_TOKEN, ADMIN_TOKEN, wrong, "an-api-key-that-nobody-may-see",
                       sha512(USER_TOKEN), sha512(ADMIN_TOKEN)],
            "ppids": [p["enc_ppid"] for p in fleet if p["enc_ppid"]],
            "manifests": [p["platform_manifest"] for p in fleet
                          if p["platform_manifest"]]}


# ---- the log ----

def test_no_token_ppid_or_manifest_is_in_the_log(used):
    log = used.log().lower()
    assert log.count("\n") > 60 and "request-refused" in log and "platform-stored" in log
    for token in used.sent["tokens"]:
        assert token.lower() not in log and token.lower().replace(" ", "+") not in log
    for secret in used.sent["ppids"] + used.sent["manifests"]:
        for at in range(0, min(len(secret), 4096) - 32, 32):
            assert secret[at:at + 32].lower() not in log, "a part of a PPID or manifest"


def test_nothing_secret_is_in_metrics_dashboard_or_health(used):
    for path in ("/metrics", "/", "/healthz/ready"):
        page = used.get(path).text.lower()
        for secret in used.sent["tokens"] + [s[:32] for s in
                                             used.sent["ppids"] + used.sent["manifests"]]:
            assert secret.lower() not in page


def test_every_line_is_an_event_of_the_table(used):
    table = (ROOT / "src" / "base" / "log_event.def").read_text()
    events = dict(re.findall(r'^LOG_EVENT\(\w+, "([\w-]+)", LOG_(\w+),', table, re.M))
    for line in used.log().splitlines():
        entry = json.loads(line)
        assert events[entry["event"]].lower() == entry["level"]


def test_all_lines_of_a_request_carry_its_id(start_service, simulator, fleet):
    service = start_service({**simulator.configuration(), "CachingFillMode": "LAZY",
                             "LogFormat": "json"})
    platform = fleet[0]
    answer = service.get(pckcert_path(platform), **{"Request-ID": "the-one-to-follow"})
    assert answer.status == 200 and answer.header("Request-ID") == "the-one-to-follow"
    service.wait_for_log('"event":"request",')
    lines = [json.loads(line) for line in service.log().splitlines()]
    ready = [entry["event"] for entry in lines].index("ready")
    events = [entry["event"] for entry in lines[ready + 1:]
              if entry.get("request_id") == "the-one-to-follow"]
    assert {"platform-stored", "collateral-changed", "request"} <= set(events)
    assert events.count("request") == 1
    assert all("request_id" in entry for entry in lines[ready + 1:])


def test_a_damaged_row_is_logged_under_the_request_that_met_it(start_service, simulator):
    configuration = {**simulator.configuration(), "CachingFillMode": "LAZY"}
    service = start_service(configuration)
    assert service.get(f"{V4}/qe/identity").status == 200
    service.stop()
    with sqlite3.connect(service.folder / "pckcache.db") as database:
        database.execute("UPDATE enclave_identities SET identity = replace(identity, '1', '2')")
    database.close()
    service.start_again()
    service.get(f"{V4}/qe/identity", **{"Request-ID": "who-met-it"})
    assert re.search(r" error row-unproven request_id=who-met-it item=identity/QE", service.log())


def test_the_journal_gets_a_priority_with_each_line(tmp_path):
    service = Service(tmp_path, {"LogLevel": "http"})
    service.make_tls()
    own, journal = socket.socketpair()
    with own, journal:
        seen = os.fstat(own.fileno())
        process = subprocess.Popen(
            [str(program("pccsd")), "-c", str(service.config_path)], cwd=service.folder,
            env=clean_environment({"JOURNAL_STREAM": f"{seen.st_dev}:{seen.st_ino}"}),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=own, text=True)
        assert " ready on " in process.stdout.readline()
        process.terminate()
        process.wait(20)
        process.stdout.close()
        lines = journal.recv(65536).decode().splitlines()
    assert len(lines) >= 3
    assert all(re.match(r"<[3467]>\d{4}-\d\d-\d\dT", line) for line in lines), lines


def test_the_key_pair_in_use_is_logged_at_start_and_after_a_reload(start_service):
    service = start_service()
    line = r" info tls certificate=\S+/ssl_key/file\.crt until=\d{4}-\d\d-\d\dT"
    assert len(re.findall(line, service.log())) == 1
    service.make_tls()
    service.program.send(1)  # SIGHUP
    service.wait_for_log(" reload ")
    assert len(re.findall(line, service.log())) == 2


def test_a_truncated_log_file_is_written_on_from_its_start(start_service):
    service = start_service({"LogFile": "logs/pccs_server.log"})
    log = service.folder / "logs" / "pccs_server.log"
    kept = log.read_bytes()  # as copytruncate does
    os.truncate(log, 0)
    service.get(f"{V4}/rootcacrl")
    deadline = time.monotonic() + 10
    while " request " not in log.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert b" ready " in kept and b"\0" not in log.read_bytes()
    assert re.match(r"\d{4}-", log.read_text())


# ---- the metrics ----

def test_promtool_finds_nothing_wrong_with_the_metrics(used):
    checked = run_promtool("check", "metrics", text=used.get("/metrics").text)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def wait_for_metrics(service, test, seconds=30):
    deadline = time.monotonic() + seconds
    while True:
        metrics = service.metrics()
        if test(metrics):
            return metrics
        assert time.monotonic() < deadline, "\n".join(map(str, metrics.items()))
        time.sleep(0.5)


def test_every_part_tells_of_itself(used, fleet):
    single = next(p for p in fleet if not p["platform_manifest"])
    tcb = f'{{item="sgx_tcb",fmspc="{single["fmspc"].upper()}"}}'
    metrics = wait_for_metrics(used, lambda m: "pccs_item_expiry_timestamp_seconds" + tcb in m
                               and m['pccs_cache_lookups_total{result="hit"}'] > 0)
    assert metrics['pccs_requests_total{route="platforms_post",code="200"}'] == 2
    assert metrics['pccs_requests_total{route="platforms_post",code="401"}'] == 1
    assert metrics['pccs_request_seconds_count{route="pckcert"}'] >= 12
    assert metrics['pccs_cache_lookups_total{result="miss"}'] > 0
    assert metrics['pccs_upstream_requests_total{endpoint="identity",code="500"}'] >= 1
    for endpoint in ("tcb", "identity", "pckcrl", "pckcerts"):
        assert metrics[f'pccs_upstream_requests_total{{endpoint="{endpoint}",code="200"}}'] > 0
        assert metrics[f'pccs_upstream_seconds_count{{endpoint="{endpoint}"}}'] > 0
    assert metrics['pccs_refresh_items_total{result="done"}'] > 0
    ended = [metrics[f'pccs_refresh_ended_timestamp_seconds{{result="{word}"}}']
             for word in ("done", "failed")]
    assert abs(max(ended) - time.time()) < 600
    assert sum(value for name, value in metrics.items()
               if name.startswith("pccs_verification_failures_total")) >= 1
    assert time.time() < metrics["pccs_item_expiry_timestamp_seconds" + tcb]
    assert time.time() - 86400 * 2 < metrics["pccs_item_issued_timestamp_seconds" + tcb]
    assert metrics["pccs_item_issued_timestamp_seconds" + tcb] <= time.time()
    for item in ("qe_identity", "pckcrl_platform", "rootcacrl"):
        assert metrics[f'pccs_items{{item="{item}",fmspc=""}}'] == 1, item
    assert metrics["pccs_ready"] == 1 and metrics["pccs_connections"] >= 0
    assert metrics["pccs_tls_certificate_expiry_timestamp_seconds"] > time.time()
    assert metrics["pccs_start_timestamp_seconds"] <= time.time()
    version = re.search(r"version: '([\d.]+)'", (ROOT / "meson.build").read_text())[1]
    assert metrics[f'pccs_build_info{{version="{version}",mode="LAZY"}}'] == 1
    for state in ("new", "not_available", "handed_out"):
        assert f'pccs_queue_rows{{state="{state}"}}' in metrics


def test_platforms_are_counted_by_fmspc(start_service, simulator, fleet):
    configuration = {**simulator.configuration(), "CachingFillMode": "LAZY"}
    service = start_service(configuration)
    platforms = [p for p in fleet if not p["platform_manifest"]][:4]
    stored = [p for p in platforms if register(service, p).status == 200]
    assert len(stored) >= 2
    service.stop()
    service.start_again()  # counts at once
    metrics = wait_for_metrics(
        service, lambda m: sum(v for k, v in m.items() if k.startswith("pccs_platforms{"))
        >= len(stored))
    fmspc = stored[0]["fmspc"].upper()
    assert metrics[f'pccs_platforms{{fmspc="{fmspc}"}}'] == sum(
        p["fmspc"].upper() == fmspc for p in stored)


def test_fmspcs_beyond_the_ceiling_are_counted_together(start_service):
    service = start_service()
    service.stop()
    rows = [(f"{number:032X}", "0000", "", "AB", f"{number:012X}", "PLATFORM", "t", "t")
            for number in range(1, 101)]
    rows += [(f"{number + 1000:032X}", *rows[number][1:]) for number in range(3)]
    with sqlite3.connect(service.folder / "pckcache.db") as database:
        database.executemany("INSERT INTO platforms VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
    database.close()
    service.start_again()

    def found(metrics):
        return {k: v for k, v in metrics.items() if k.startswith("pccs_platforms{")}

    metrics = found(wait_for_metrics(service, lambda m: sum(found(m).values()) == 103))
    assert len(metrics) == 64 and metrics['pccs_platforms{fmspc="other"}'] == 100 - 62
    assert metrics['pccs_platforms{fmspc="000000000001"}'] == 2


def test_series_of_items_do_not_grow_with_what_is_asked_for(start_service, simulator):
    service = start_service({**simulator.configuration(), "CachingFillMode": "LAZY"})
    connection = service.connect()
    before = len(service.metrics())
    for number in range(100):
        service.request("GET", f"{V4}/tcb?fmspc={number:012X}", connection=connection)
        service.request("GET", f"/nothing/{number}", connection=connection)
    connection.close()
    time.sleep(2)
    assert len(service.metrics()) < before + 40


def test_a_store_that_fails_shows_in_ready_and_errors(start_service):
    service = start_service()
    wait_for_metrics(service, lambda m: m["pccs_ready"] == 1)
    database = service.folder / "pckcache.db"
    with sqlite3.connect(database, isolation_level=None) as other:
        other.execute("DROP TABLE enclave_identities")
    other.close()
    assert service.get(f"{V4}/qe/identity").status in (404, 503)
    wait_for_metrics(service, lambda m: m["pccs_store_errors_total"] >= 1)


# ---- alert rules, dashboard ----

def test_promtool_takes_the_rules_and_their_tests_pass():
    checked = run_promtool("check", "rules", str(MONITORING / "pccs.rules.yml"))
    assert checked.returncode == 0, checked.stdout + checked.stderr
    tested = run_promtool("test", "rules", "pccs.rules.test.yml", cwd=MONITORING)
    assert tested.returncode == 0, tested.stdout + tested.stderr


def test_every_rule_has_a_test_that_makes_it_fire_and_one_that_does_not():
    rules = re.findall(r"- alert: (\w+)", (MONITORING / "pccs.rules.yml").read_text())
    tests = (MONITORING / "pccs.rules.test.yml").read_text()
    assert len(rules) >= 10
    for name in rules:
        assert re.search(rf"alertname: {name}\n +exp_alerts:", tests), name
        assert re.search(rf"alertname: {name}}}", tests), name


def metric_names():
    """Every name that a rule or panel may use, from the table that the service is built from."""
    names = {"up"}
    table = (pathlib.Path(ROOT) / "src" / "metrics" / "metrics.def").read_text()
    for kind, name in re.findall(r'^METRIC\(\w+, (\w+), "(\w+)"', table, re.M):
        names |= ({name} if kind != "HISTOGRAM"
                  else {f"{name}_{end}" for end in ("bucket", "sum", "count")})
    return names


@pytest.mark.parametrize("file", ["pccs.rules.yml", "pccs.rules.test.yml", "pccs.dashboard.json"])
def test_rules_and_dashboard_name_only_metrics_that_exist(file):
    text = (MONITORING / file).read_text()
    used_names = set(re.findall(r"\bpccs_[a-z_]+", text))
    assert used_names and used_names <= metric_names(), used_names - metric_names()


def test_the_dashboard_is_whole():
    dashboard = json.loads((MONITORING / "pccs.dashboard.json").read_text())
    assert dashboard["title"] and dashboard["uid"] and dashboard["schemaVersion"] >= 36
    places, ids = set(), set()
    for panel in dashboard["panels"]:
        where = panel["gridPos"]
        cells = {(x, y) for x in range(where["x"], where["x"] + where["w"])
                 for y in range(where["y"], where["y"] + where["h"])}
        assert where["x"] + where["w"] <= 24 and not cells & places, panel["title"]
        assert panel["id"] not in ids and panel["title"]
        places |= cells
        ids.add(panel["id"])
        for target in panel.get("targets", []):
            assert target["expr"] and target["refId"], panel["title"]
    shown = set(re.findall(r"\bpccs_[a-z_]+", json.dumps(dashboard)))
    wanted = {name for name in metric_names() if not name.endswith(("_sum", "_count"))} - {"up"}
    assert wanted <= shown, wanted - shown
