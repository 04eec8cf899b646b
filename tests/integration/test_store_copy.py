# SPDX-License-Identifier: BSD-3-Clause
"""pccsadmin store copy: what is refused, copied, left; what a kill leaves behind."""
import base64
import contextlib
import json
import os
import pathlib
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time

import pytest

from admin import Admin
from clients import pckcert_path, register
from database_server import DatabaseError
from harness import ADMIN_TOKEN, TDX, V4, Service, clean_environment, program
from terminal import Terminal

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "bench"))
import database  # noqa: E402

KINDS = ("items", "platforms", "registrations", "policies")
# Times, and what a service writes as it lives, are each store's own.
PASSED_OVER = {"created_time", "updated_time", "certs_time", "beat"}


def knows(host):
    with contextlib.suppress(OSError):
        return bool(socket.getaddrinfo(host, None))
    return False


def reading(path):
    return contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True))


def rows(path):
    """All that an SQLite store holds, but for its times: {table: sorted rows}."""
    found = {}
    with reading(path) as connection:
        tables = [name for (name,) in connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")]
        for table in tables:
            names = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
            kept = ", ".join(name for name in names if name not in PASSED_OVER)
            found[table] = sorted(connection.execute(f"SELECT {kept} FROM {table}"), key=repr)
    return found


def change(path, *statements):
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        for statement in statements:
            if isinstance(statement, str):
                statement = (statement, ())
            assert connection.execute(*statement).rowcount > 0, statement


def number(path, statement):
    with reading(path) as connection:
        return connection.execute(statement).fetchone()[0]


def policy(name):
    payload = json.dumps({"policy_payload": json.dumps({"policy_array": [
        {"environment": {"class_id": "3123ec35-8d38-4ea5-87a5-d6c48b567570", "name": name}}]})})
    return "e30." + base64.urlsafe_b64encode(payload.encode()).decode().rstrip("=") + ".c2ln"


def fill(service, fleet):
    """One of everything that a cache can hold."""
    paths = [f"{V4}/rootcacrl", f"{V4}/pckcrl?ca=processor", f"{V4}/pckcrl?ca=platform",
             f"{V4}/qve/identity", f"{TDX}/qe/identity", f"{V4}/qe/identity?update=early",
             f"{V4}/tcbevaluationdatanumbers"]
    for platform in fleet:
        register(service, platform)
        if platform["expected_tcbm"]:
            assert service.get(pckcert_path(platform)).status == 200, platform
        paths += [f"{V4}/tcb?fmspc={platform['fmspc']}",
                  f"{V4}/tcb?fmspc={platform['fmspc']}&update=early"]
        if platform["tdx"]:
            paths.append(f"{TDX}/tcb?fmspc={platform['fmspc']}")
    for path in paths:
        assert service.get(path).status in (200, 404), path
    for default, text in ((True, "a"), (False, "b")):
        answer = service.put_json(f"{V4}/appraisalpolicy", {
            "policy": policy(text), "is_default": default, "fmspc": "00906EA10000"})
        assert answer.status == 200, answer


def add_registrations(path):
    """Rows of every state, with and without PPID and manifest."""
    times = "'2026-01-01 00:00:00.000 +00:00', '2026-01-01 00:00:00.000 +00:00'"
    for i, state in enumerate((0, 0, 1, 9)):
        change(path, f"INSERT INTO platforms_registered (qe_id, pce_id, cpu_svn, pce_svn, enc_ppid,"
               f" platform_manifest, state, created_time, updated_time) VALUES"
               f" ('{i:032X}', '0000', '{i:032X}', '0D00', X'{i:02X}', X'', {state}, {times}),"
               f" ('{i:032X}', '0000', '', '', X'', X'{'AB' * 70000}', {state}, {times})")


@pytest.fixture(scope="module")
def origin(tmp_path_factory, simulator, fleet):
    """A service that is not running, with one of everything; nobody changes it."""
    service = Service(tmp_path_factory.mktemp("origin"),
                      {**simulator.configuration(), "CachingFillMode": "LAZY"})
    with service:
        fill(service, fleet)
    add_registrations(service.folder / "pckcache.db")
    return service


class Copying:
    """pccsadmin store copy in a folder, of a simulator's collateral."""

    def __init__(self, folder, simulator, origin):
        self.simulator = simulator
        self.admin = Admin(folder)
        self.source = folder / "source.db"
        self.target = folder / "target.db"
        shutil.copy(origin.folder / "pckcache.db", self.source)

    def words(self, source=None, target=None):
        names = [source or f"sqlite:{self.source}", target or f"sqlite:{self.target}"]
        are_files = any(not str(name).endswith(".json") for name in names)
        return ["store", "copy", "--from", names[0], "--to", names[1],
                *(["--upstream", self.simulator.uri] if are_files else []),
                "--trust-anchor", self.simulator.root]

    def run(self, *more, source=None, target=None, **others):
        return self.admin.run(*self.words(source, target), *more, **others)

    def counts(self, *more, status=0, **others):
        done = self.run("--json", *more, **others)
        assert done.status == status, done
        return done.json()

    def refused(self, reason, *more, status=1, **others):
        done = self.run(*more, **others)
        assert done.status == status, done
        assert done.out == "" and reason in done.err, done
        return done

    def listed(self, counts, verdict):
        return {one["name"]: one["reason"] for one in counts["listed"] if one["verdict"] == verdict}


@pytest.fixture
def copying(tmp_path, simulator, origin):
    return Copying(tmp_path, simulator, origin)


def sums(counts, name):
    return [counts[kind][name] for kind in KINDS]


def config_of(folder, simulator, configuration=None, **more):
    """A configuration of a service that is not started."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "pccs.json"
    path.write_text(json.dumps({**simulator.configuration(), "DataDirectory": str(folder),
                                "CachingFillMode": "OFFLINE", **(configuration or {}), **more}))
    return path


# ---- refusals ----


def test_refuses_what_it_does_not_understand(copying):
    run = copying.admin.run
    for words, reason in (
        (["store"], "copy"),
        (["store", "move", "--from", "a", "--to", "b"], "copy"),
        (["store", "copy"], "needs --from and --to"),
        (["store", "copy", "--from", "a"], "needs --from and --to"),
        (["store", "copy", "--from", "a", "--to", "b", "c"], "'c' is not understood"),
        (["store", "copy", "--from", "a", "--to", "b", "--force"], "is no option"),
    ):
        done = run(*words)
        assert (done.status, done.out) == (2, ""), done
        assert reason in done.err and "pccsadmin store --help" in done.err, done
    help_text = run("store", "--help")
    assert help_text.status == 0 and "--verify-only" in help_text.out


def test_refuses_a_store_that_is_not_there_and_makes_none(copying, tmp_path):
    copying.refused("is not there; name a new SQLite file as sqlite:", target=tmp_path / "new.db")
    copying.refused("is not there", source=tmp_path / "none.json")
    copying.refused("cannot be found", source=f"sqlite:{tmp_path}/none.db")
    copying.refused("is no path", target="sqlite:")
    copying.refused("is no path", target="sqlite::memory:")
    copying.refused("cannot be found", "--verify-only")
    assert not copying.target.exists() and not (tmp_path / "new.db").exists()
    assert not (tmp_path / "none.db").exists()


def test_refuses_one_store_under_two_names(copying, tmp_path, simulator):
    os.link(copying.source, tmp_path / "hard.db")
    (tmp_path / "soft.db").symlink_to(copying.source)
    named = config_of(tmp_path / "named", simulator,
                      {"DB_CONFIG": "sqlite", "sqlite": {"options": {"storage": "../source.db"}}})
    before = copying.source.read_bytes()
    for target in (copying.source, f"sqlite:{copying.source}", tmp_path / "hard.db",
                   tmp_path / "soft.db", named):
        done = copying.admin.run("store", "copy", "--from", copying.source, "--to", target)
        assert done.status == 1 and "the same store" in done.err, done
    assert copying.source.read_bytes() == before


def test_refuses_a_store_of_another_pcs(copying, tmp_path, simulator):
    other = config_of(tmp_path / "other", simulator,
                      uri="https://api.trustedservices.intel.com/sgx/certification/v4/")
    here = config_of(tmp_path / "here", simulator)
    done = copying.admin.run("store", "copy", "--from", here, "--to", other)
    assert done.status == 1 and "of different PCS" in done.err, done
    done = copying.admin.run("store", "copy", "--from", copying.source, "--to", other)
    assert done.status == 1 and "but uri names 'api.trustedservices.intel.com'" in done.err, done
    done = copying.admin.run("store", "copy", "--from", here, "--to", here, "--upstream", "x")
    assert done.status == 2 and "--upstream is for SQLite files" in done.err, done
    assert not (tmp_path / "other" / "pckcache.db").exists()
    # what fills the target is not looked at before its origin
    assert copying.run().status == 0
    change(copying.target, "UPDATE pcs_version SET server_addr = 'elsewhere.example'")
    copying.refused("came from 'elsewhere.example'")


def test_refuses_a_file_that_a_running_service_uses(copying, tmp_path, simulator):
    with Service(tmp_path / "running", {**simulator.configuration()}) as service:
        theirs = service.folder / "pckcache.db"
        copying.refused("another pccsd uses this database", source=theirs)
        copying.refused("another pccsd uses this database", target=theirs)
        copying.refused("another pccsd uses this database", target=service.config_path)


def test_refuses_what_is_no_store(copying, tmp_path):
    (tmp_path / "text").write_text("hello")
    copying.refused("text", source=tmp_path / "text")
    copying.refused("not a database", source=f"sqlite:{tmp_path / 'text'}")
    copying.refused("cannot be read", source=tmp_path)


def test_neither_makes_nor_migrates_a_source(copying, tmp_path):
    sqlite3.connect(tmp_path / "empty.db").close()
    (tmp_path / "empty.db").touch()
    copying.refused("init_db is false", source=f"sqlite:{tmp_path / 'empty.db'}")
    assert (tmp_path / "empty.db").stat().st_size == 0


# ---- copying ----


def test_everything_is_copied_and_then_the_same(copying, origin):
    first = copying.counts()
    assert first["complete"] and first["listed"] == []
    assert sums(first, "copied") == [first["items"]["copied"], 13, 8, 2]
    assert first["items"]["copied"] > 15 and sums(first, "same") == [0, 0, 0, 0]
    assert rows(copying.target) == rows(copying.source)
    again = copying.counts()
    assert sums(again, "copied") == [0, 0, 0, 0] and sums(again, "same") == sums(first, "copied")
    for source, target in ((None, None), (copying.target, copying.source)):
        compared = copying.counts("--verify-only", source=source, target=target)
        assert compared["complete"] and sums(compared, "same") == sums(first, "copied")
    assert rows(copying.source) == rows(origin.folder / "pckcache.db")


def test_the_copy_serves_what_the_origin_served(copying, origin, tmp_path, simulator, fleet):
    configuration = config_of(tmp_path / "moved", simulator, HTTPS_PORT=0,
                              sqlite={"options": {"storage": "moved.db"}})
    copying.counts(target=configuration)
    answers = []
    for folder, storage in ((tmp_path / "moved", "moved.db"), (tmp_path / "was", "pckcache.db")):
        service = Service(folder, {**simulator.configuration(), "CachingFillMode": "OFFLINE",
                                   "sqlite": {"options": {"storage": storage}}})
        if storage == "pckcache.db":
            shutil.copy(copying.source, folder / storage)
        with service:
            paths = [pckcert_path(p) for p in fleet if p["expected_tcbm"]]
            paths += [f"{V4}/tcb?fmspc={p['fmspc']}" for p in fleet]
            paths += [f"{V4}/rootcacrl", f"{V4}/pckcrl?ca=platform", f"{TDX}/qe/identity",
                      f"{V4}/appraisalpolicy?fmspc=00906EA10000"]
            answers.append([(path, answer.status, answer.body) for path in paths
                            for answer in [service.get(path)]])
    assert answers[0] == answers[1] and {status for _, status, _ in answers[0]} == {200}


def test_configurations_are_read_alone(copying, tmp_path, simulator):
    """The environment, which would be the same for both, is not; local.json is."""
    source = config_of(tmp_path / "a", simulator, sqlite={"options": {"storage": "nowhere.db"}})
    (tmp_path / "a" / "local.json").write_text(
        json.dumps({"sqlite": {"options": {"storage": str(copying.source)}}}))
    target = config_of(tmp_path / "b", simulator)
    done = copying.admin.run("store", "copy", "--from", source, "--to", target, environment={
        "PCCS_DATA_DIRECTORY": "/nowhere", "PCCS_DB_CONFIG": "postgres", "NODE_ENV": "production"})
    assert done.status == 0, done
    assert rows(tmp_path / "b" / "pckcache.db") == rows(copying.source)


# ---- what is left ----


def test_what_does_not_verify_is_left_and_listed(copying, fleet, origin):
    victim, bare, wrong = fleet[0]["qe_id"], fleet[1]["qe_id"], fleet[4]["qe_id"]
    key = "fmspc = '00906EA10000' AND type = 0 AND update_type = 'STANDARD'"
    body = number(copying.source, f"SELECT tcbinfo FROM fmspc_tcbs WHERE {key}")
    at = body.index(b'"tcbEvaluationDataNumber":') + len(b'"tcbEvaluationDataNumber":')
    change(copying.source,
           (f"UPDATE fmspc_tcbs SET tcbinfo = ? WHERE {key}", (body[:at] + b"9" + body[at:],)),
           f"UPDATE pck_cert SET pck_cert = (SELECT pck_cert FROM pck_cert WHERE"
           f" qe_id = '{wrong}' LIMIT 1) WHERE qe_id = '{victim}'",
           f"DELETE FROM pck_cert WHERE qe_id = '{bare}'")
    counts = copying.counts(status=1)
    assert not counts["complete"] and sums(counts, "skipped") == [1, 2, 0, 0], counts
    listed = copying.listed(counts, "skipped")
    assert "signature" in listed["item tcb/SGX/4/STANDARD/00906EA10000"], listed
    assert "tcbm" in listed[f"platform {victim}/0000"], listed
    assert "no PCK certificate is available" in listed[f"platform {bare}/0000"], listed
    assert counts["platforms"]["copied"] == 11
    for qe_id in (victim, bare):
        assert not number(copying.target,
                          f"SELECT count(*) FROM platforms WHERE qe_id = '{qe_id}'")
    # told again each time, also when nothing is written
    assert copying.counts("--verify-only", status=1)["listed"] == counts["listed"]
    done = copying.run()
    assert done.status == 1 and f"not copied: platform {victim}/0000: " in done.err, done
    assert "3 things of the source were not copied" in done.err, done
    # once the source is mended, the rest follows
    counts = copying.counts(source=origin.folder / "pckcache.db")
    assert counts["complete"] and sums(counts, "copied") == [1, 2, 0, 0], counts
    assert rows(copying.target) == rows(origin.folder / "pckcache.db")


def test_damaged_rows_are_counted(copying, fleet):
    change(copying.source,
           f"UPDATE platforms SET fmspc = 'garbage' WHERE qe_id = '{fleet[1]['qe_id']}'",
           "UPDATE platforms_registered SET cpu_svn = 'garbage' WHERE rowid = 1",
           "UPDATE fmspc_tcbs SET fmspc = 'garbage' WHERE rowid = 1",
           f"UPDATE platform_tcbs SET cpu_svn = 'garbage' WHERE qe_id = '{fleet[0]['qe_id']}'")
    counts = copying.counts(status=1)
    listed = copying.listed(counts, "skipped")
    assert {"1 platforms", "1 registrations", "1 items"} <= set(listed), listed
    assert any("raw TCBs" in name for name in listed), listed
    assert sums(counts, "copied")[1:] == [12, 7, 2]


def test_a_name_is_shown_without_what_a_terminal_would_obey(copying, fleet):
    change(copying.source,
           *((f"UPDATE {table} SET qe_id = ? WHERE qe_id = ?",
              ("A\x1b[2J\x07\u00e9", fleet[0]["qe_id"]))
             for table in ("platforms", "pck_cert", "platform_tcbs")),
           "DELETE FROM pck_cert WHERE qe_id LIKE 'A%J%'")
    done = copying.run()
    assert done.status == 1 and "platform A?[2J???/0000" in done.err, done
    assert "\x1b" not in done.err + done.out


def test_what_the_target_refuses_does_not_keep_out_the_rest(copying, fleet):
    copying.counts()
    refused = fleet[0]["qe_id"]
    everything = rows(copying.target)
    with contextlib.closing(sqlite3.connect(copying.target)) as connection, connection:
        for table in ("platforms", "pck_cert", "platform_tcbs", "pccs_platforms",
                      "platforms_registered", "enclave_identities"):
            connection.execute(f"DELETE FROM {table}")
        for table, when in (("platforms", f"NEW.qe_id = '{refused}'"),
                            ("platforms_registered", "NEW.state = 1"),
                            ("enclave_identities", "NEW.id = 2")):
            connection.execute(f"CREATE TRIGGER no_{table} BEFORE INSERT ON {table} WHEN {when}"
                               " BEGIN SELECT RAISE(ABORT, 'not this one'); END")
    counts = copying.counts(status=1)
    assert sums(counts, "skipped") == [1, 1, 2, 0], counts
    assert sums(counts, "copied")[1:] == [12, 6, 0], counts
    assert "not this one" in copying.listed(counts, "skipped")[f"platform {refused}/0000"]
    with contextlib.closing(sqlite3.connect(copying.target)) as connection, connection:
        for table in ("platforms", "platforms_registered", "enclave_identities"):
            connection.execute(f"DROP TRIGGER no_{table}")
    assert sums(copying.counts(), "copied") == [1, 1, 2, 0]
    assert rows(copying.target) == everything


def test_a_target_that_refuses_everything_stops_it(copying):
    copying.counts()
    with contextlib.closing(sqlite3.connect(copying.target)) as connection, connection:
        connection.execute("DELETE FROM platforms")
        connection.execute("CREATE TRIGGER no BEFORE INSERT ON platforms"
                           " BEGIN SELECT RAISE(ABORT, 'nothing'); END")
    done = copying.run()
    assert done.status == 1 and "run it again" in done.err, done
    assert done.err.count("not copied: platform") == 4 and "nothing" in done.err, done


# ---- what the target has already ----


def test_a_newer_item_in_the_target_is_kept_and_told(copying, simulator, tmp_path):
    copying.counts()
    old = tmp_path / "old.db"
    shutil.copy(copying.source, old)
    simulator.control("time-shift", seconds=3600)
    simulator.control("reissue")
    storage = {"sqlite": {"options": {"storage": str(copying.target)}}}
    try:
        with Service(tmp_path / "renewed", {**simulator.configuration(), **storage,
                                            "CachingFillMode": "LAZY"}) as service:
            answer = service.request("POST", f"{V4}/refresh", headers={"admin-token": ADMIN_TOKEN})
            assert answer.status == 200, answer
    finally:
        simulator.control("reset")
    before = rows(copying.target)
    counts = copying.counts()
    assert counts["complete"] and counts["items"]["newer"] > 10, counts
    assert sums(counts, "copied") == [0, 0, 0, 0]
    assert "issued later" in copying.listed(counts, "newer")["item rootcrl"]
    assert rows(copying.target) == before
    # and the other way round they take the older ones' places
    back = copying.counts(source=copying.target, target=old)
    assert back["items"]["copied"] == counts["items"]["newer"]
    assert rows(old) == before


def test_the_latest_signer_stays_the_latest(copying, simulator, tmp_path):
    """Old items keep the old one; what comes without a chain is judged by the new one."""
    copying.source.unlink()
    storage = {"sqlite": {"options": {"storage": str(copying.source)}}}
    try:
        with Service(tmp_path / "renewed", {**simulator.configuration(), **storage,
                                            "CachingFillMode": "LAZY"}) as service:
            assert service.get(f"{V4}/tcb?fmspc=00A067110000").status == 200
            simulator.control("rotate-signer")
            assert service.get(f"{V4}/tcb?fmspc=00906EA10000").status == 200
    finally:
        simulator.control("reset")
    assert copying.counts()["items"]["copied"] >= 2
    assert len(rows(copying.target)["pccs_chains"]) == 2
    assert rows(copying.target) == rows(copying.source)


def test_what_only_the_target_has_is_not_lost(copying, fleet):
    copying.counts()
    everything = rows(copying.target)
    first, second, third = fleet[0]["qe_id"], fleet[1]["qe_id"], fleet[9]["qe_id"]
    assert fleet[9]["platform_manifest"]
    other = "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF"
    change(
        copying.source,
        # the target alone has its manifest; its certificates are to be written
        f"UPDATE platforms SET platform_manifest = X'' WHERE qe_id = '{third}'",
        f"UPDATE platforms_registered SET state = 0 WHERE qe_id = '{3:032X}'")
    change(
        copying.target,
        f"DELETE FROM platform_tcbs WHERE qe_id = '{third}'",
        # a raw TCB that the source does not know, one certificate more, a queue that moved on
        f"INSERT INTO platform_tcbs SELECT qe_id, pce_id, '{other}', pce_svn, tcbm, created_time,"
        f" updated_time FROM platform_tcbs WHERE qe_id = '{first}' LIMIT 1",
        f"UPDATE platforms_registered SET platform_manifest = X'CD' WHERE qe_id = '{0:032X}'"
        " AND cpu_svn = ''")
    change(copying.source, f"DELETE FROM pck_cert WHERE rowid ="
           f" (SELECT max(rowid) FROM pck_cert WHERE qe_id = '{second}')")
    counts = copying.counts()
    assert sums(counts, "copied") == [0, 1, 1, 0], counts
    newer = copying.listed(counts, "newer")
    assert f"platform {first}/0000" in newer and f"platform {second}/0000" in newer, newer
    assert sums(counts, "newer") == [0, 2, 2, 0], counts
    kept = rows(copying.target)
    assert kept["platforms"] == everything["platforms"]
    assert kept["pck_cert"] == everything["pck_cert"]
    assert len(kept["platform_tcbs"]) == len(everything["platform_tcbs"]) + 1


def test_a_default_policy_of_the_target_s_own_stays_the_default(copying):
    copying.counts()
    change(copying.source, "DELETE FROM appraisal_policies WHERE is_default = 0")
    # the target's administrator has made the other one the default, as the service would
    change(copying.target, "UPDATE appraisal_policies SET is_default = 1 - is_default")
    before = rows(copying.target)
    counts = copying.counts()
    assert counts["policies"] == {"copied": 0, "same": 0, "newer": 1, "skipped": 0, "differs": 0}
    change(copying.target, "DELETE FROM appraisal_policies WHERE is_default = 0")
    counts = copying.counts()
    assert "chosen its default" in str(counts["listed"]), counts
    assert rows(copying.target) == before
    change(copying.target, "DELETE FROM appraisal_policies")
    assert copying.counts()["policies"]["copied"] == 1
    assert rows(copying.target)["appraisal_policies"] == rows(copying.source)["appraisal_policies"]


def test_verify_only_tells_each_difference_and_writes_nothing(copying, fleet):
    copying.counts()
    missing, changed = fleet[0]["qe_id"], fleet[9]["qe_id"]
    change(copying.target,
           f"DELETE FROM platforms WHERE qe_id = '{missing}'",
           f"UPDATE platforms SET platform_manifest = X'00' WHERE qe_id = '{changed}'",
           f"DELETE FROM platforms_registered WHERE qe_id = '{2:032X}' AND cpu_svn = ''",
           "DELETE FROM enclave_identities WHERE id = 2",
           "UPDATE appraisal_policies SET policy = X'00' WHERE is_default = 0")
    before = rows(copying.target)
    counts = copying.counts("--verify-only", status=1)
    assert sums(counts, "differs") == [1, 2, 1, 1] and not counts["complete"], counts
    assert f"platform {missing}/0000" in copying.listed(counts, "missing")
    assert f"platform {changed}/0000" in copying.listed(counts, "differs")
    assert rows(copying.target) == before
    done = copying.run("--verify-only", "--quiet")
    assert done.status == 1 and done.out == "", done
    assert "5 things are not in the target as they are in the source" in done.err, done
    counts = copying.counts()
    assert sums(counts, "copied") == [1, 2, 1, 1], counts
    assert rows(copying.target) == rows(copying.source)


# ---- kills, a full disk, progress ----


def grow(path, fleet, count):
    database.multiply(path, fleet[0]["qe_id"], count)


def wait_for(condition, process, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it does not come so far"
        assert process.poll() is None, "it has ended already"
        time.sleep(0.005)


def start(copying, **more):
    return subprocess.Popen([str(program("pccsadmin")), *map(str, copying.words(**more))],
                            cwd=copying.admin.folder, env=clean_environment(),
                            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                            stderr=subprocess.DEVNULL)


def platform_count(path):
    try:
        return number(path, "SELECT count(*) FROM platforms")
    except sqlite3.OperationalError:  # not there, or no table yet
        return -1


def test_a_copy_that_is_killed_goes_on(copying, fleet):
    grow(copying.source, fleet, 2000)
    had = -1
    for least in (-1, 0, 500, 1200):
        process = start(copying)
        wait_for(lambda at_least=least: platform_count(copying.target) >= at_least, process)
        process.send_signal(signal.SIGKILL)
        assert process.wait(20) == -signal.SIGKILL
        assert platform_count(copying.target) >= had
        had = platform_count(copying.target)
    assert had >= 1200
    counts = copying.counts()
    assert counts["complete"] and counts["platforms"]["same"] >= had, counts
    assert counts["platforms"]["same"] + counts["platforms"]["copied"] == 2013
    assert rows(copying.target) == rows(copying.source)


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 3 MB; root only."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() != 0 or subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=3m", "none", str(folder)],
            stderr=subprocess.DEVNULL).returncode != 0:
        pytest.skip("cannot mount a small file system here: needs root")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_target_stops_it_and_it_goes_on_once_there_is_room(copying, fleet, small_disk):
    grow(copying.source, fleet, 1500)
    target = small_disk / "target.db"
    done = copying.run(target=f"sqlite:{target}")
    assert done.status == 1 and "full" in done.err, done
    assert "run it again" in done.err, done
    had = platform_count(target)
    assert 0 < had < 1500
    subprocess.run(["mount", "-o", "remount,size=64m", str(small_disk)], check=True)
    counts = copying.counts(target=target)
    assert counts["complete"] and counts["platforms"]["same"] == had, counts
    assert rows(target) == rows(copying.source)


def test_progress_is_one_line_on_a_terminal(copying, fleet):
    grow(copying.source, fleet, 10_000)
    with Terminal([program("pccsadmin"), *copying.words()], clean_environment(),
                  copying.admin.folder) as terminal:
        terminal.expect(" of 10013 platforms, ")
        terminal.expect("/s, ")
        terminal.expect(" left")
        assert terminal.end(60) == 0, terminal.seen
    last = terminal.seen[terminal.seen.rindex("\r\x1b[K"):]
    assert "10013 copied" in last and "left" not in last, terminal.seen


# ---- database servers ----


def test_from_sqlite_over_both_servers_and_back(copying, tmp_path, simulator, postgres_server,
                                                mariadb_server, fleet):
    grow(copying.source, fleet, 300)
    stores = [copying.source]
    for server in (postgres_server, mariadb_server):
        stores.append(config_of(tmp_path / server.kind, simulator,
                                server.configuration(server.create_database())))
    stores.append(copying.target)
    first = None
    for server, source, target in zip((postgres_server, mariadb_server, None), stores, stores[1:]):
        target = target if server else f"sqlite:{target}"
        if server is postgres_server:
            process = start(copying, target=target)
            wait_for(lambda: server_count(server, target) > 0, process)
            process.kill()
            process.wait(20)
        counts = copying.counts(source=source, target=target)
        assert counts["complete"] and counts["listed"] == [], counts
        again = copying.counts("--verify-only", source=source, target=target)
        first = first or again
        assert sums(again, "same") == sums(first, "same") and again["complete"], again
        assert postgres_server.service_password not in json.dumps(counts)
    assert rows(copying.target) == rows(copying.source)


def server_count(server, configuration):
    section = json.loads(configuration.read_text())[server.kind]
    try:
        return int(server.query("SELECT count(*) FROM platforms", section["database"])[0][0])
    except DatabaseError:  # no table yet
        return -1


@pytest.mark.skipif(not knows("localhost"), reason="this machine has no name for itself")
def test_refuses_one_database_under_two_names(copying, tmp_path, simulator, database_server):
    name = database_server.create_database()
    paths = []
    for host in ("127.0.0.1", "localhost"):
        configuration = database_server.configuration(name)
        configuration[configuration["DB_CONFIG"]]["options"]["host"] = host
        paths.append(config_of(tmp_path / host, simulator, configuration))
    copying.counts(target=paths[0])
    copying.refused("name the same store", source=paths[0], target=paths[0])
    done = copying.run(source=paths[0], target=paths[1])
    assert done.status == 1 and "both are one and the same database" in done.err, done
    assert database_server.service_password not in done.err
    assert copying.counts("--verify-only", target=paths[1])["complete"]


def test_a_service_on_the_target_learns_of_what_is_copied(copying, tmp_path, simulator, fleet,
                                                          database_server):
    configuration = {**simulator.configuration(), "CachingFillMode": "OFFLINE",
                     **database_server.configuration(database_server.create_database())}
    with Service(tmp_path / "serving", configuration) as service:
        path = pckcert_path(fleet[0])
        assert service.get(path).status == 461
        assert service.get(f"{V4}/rootcacrl").status == 404
        counts = copying.counts(target=service.config_path)
        assert counts["complete"], counts
        deadline = time.monotonic() + 10
        while (service.get(path).status, service.get(f"{V4}/rootcacrl").status) != (200, 200):
            assert time.monotonic() < deadline, service.get(path)
            time.sleep(0.05)
    back = copying.admin.folder / "back.db"
    assert copying.counts(source=service.config_path, target=f"sqlite:{back}")["complete"]
    assert rows(back) == rows(copying.source)
