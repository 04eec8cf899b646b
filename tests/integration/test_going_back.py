# SPDX-License-Identifier: BSD-3-Clause
"""Intel's service can go on with a database that pccsd took over and served from.

Its models read and write the tables and columns of the database's specification; the statements
here do the same. Each database goes through `init --from`, pccsd, new platforms, and the commands
that the report gave for going back.
"""
import contextlib
import json
import re
import shutil
import sqlite3
import ssl

import pytest

from admin import Admin
from clients import pckcert_path, register, synthetic_platform
from harness import TDX, V4, Service
from intel_folder import MIGRATIONS, IntelFolder

# Table, key columns, further columns: all that the reference's models name.
MODELS = {
    "platforms": ("qe_id pce_id", "platform_manifest enc_ppid fmspc ca"),
    "platform_tcbs": ("qe_id pce_id cpu_svn pce_svn", "tcbm"),
    "pck_cert": ("qe_id pce_id tcbm", "pck_cert"),
    "pck_certchain": ("ca", "root_cert_id intmd_cert_id"),
    "pck_crl": ("ca", "pck_crl root_cert_id intmd_cert_id"),
    "pcs_certificates": ("id", "cert crl"),
    "fmspc_tcbs": ("fmspc type version update_type", "tcbinfo root_cert_id signing_cert_id"),
    "enclave_identities": ("id version update_type", "identity root_cert_id signing_cert_id"),
    "crl_cache": ("cdp_url", "crl"),
    "appraisal_policies": ("id", "type policy is_default fmspc"),
    "platforms_registered": ("qe_id pce_id cpu_svn pce_svn",
                             "enc_ppid platform_manifest state"),
    "pcs_version": ("id", "api_version server_addr db_version"),
}
TIMES = ["created_time", "updated_time"]
TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} \+00:00$")
OLD_QEID = "0123456789ABCDEF0123456789ABCDEF"


class TakenOver(Service):
    """pccsd on what init --from made; nothing of it is written here."""

    def __init__(self, folder):
        self.folder = folder
        self.environment = {"PCCS_HTTPS_PORT": "0", "PCCS_LOG_FILE": "-"}
        self.tls = ssl.create_default_context(cafile=str(folder / "ssl_key" / "file.crt"))


def columns(table):
    keys, more = MODELS[table]
    return keys.split(), keys.split() + more.split() + TIMES


def read(database, table):
    """As a model reads all of its rows: {key: {column: value}}."""
    keys, names = columns(table)
    found = {}
    for row in database.execute(f"SELECT {', '.join(names)} FROM {table}"):
        values = dict(zip(names, row))
        found[tuple(values[key] for key in keys)] = values
    return found


def write_as_intel(database, table):
    """As a model writes: every row again, with its own columns and no others, by upsert."""
    keys, names = columns(table)
    changes = ", ".join(f"{name} = excluded.{name}" for name in names if name not in keys)
    for row in read(database, table).values():
        database.execute(
            f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"
            f" ON CONFLICT ({', '.join(keys)}) DO UPDATE SET {changes}",
            [row[name] for name in names])


def go_back(report, intel):
    """The commands of the report, with Python's SQLite instead of its shell."""
    command = next(one["text"] for one in report if one["item"] == "with what is new")
    found = re.fullmatch(r'before that start: sqlite3 (\S+) "(.+?)" && '
                         r"rm -f \S+-journal \S+-wal \S+-shm && mv (\S+) (\S+); .*", command)
    with contextlib.closing(sqlite3.connect(found[1])) as database:
        database.execute(found[2])
    shutil.move(found[3], found[4])
    assert found[4] == str(intel.database)


def ask_everything(service, platform):
    register(service, platform)
    for path in (pckcert_path(platform), f"{V4}/tcb?fmspc={platform['fmspc']}",
                 f"{TDX}/tcb?fmspc={platform['fmspc']}", f"{V4}/qe/identity", f"{V4}/qve/identity",
                 f"{TDX}/qe/identity", f"{V4}/pckcrl?ca=platform", f"{V4}/pckcrl?ca=processor",
                 f"{V4}/rootcacrl"):
        answer = service.get(path)
        assert answer.status in (200, 404), (path, answer)


@pytest.mark.parametrize("version", [0, 5])
def test_intels_service_goes_on_with_what_was_cached(tmp_path, simulator, fleet, version):
    simulator.control("reset")
    intel = IntelFolder(tmp_path / "intel", version=None)
    intel.configure(CachingFillMode="LAZY", **simulator.configuration())
    intel.make_database(version, host="127.0.0.1")
    with contextlib.closing(intel.open()) as database:
        before = {table: database.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
                  for table in ("platforms", "platform_tcbs", "pck_cert", "platforms_registered")}
    (tmp_path / "new").mkdir()
    done = Admin(tmp_path / "new").run("init", "--from", intel, "--json")
    assert done.status == 0, done
    platform = next(one for one in fleet if one["expected_tcbm"] and not one["platform_manifest"])
    with TakenOver(tmp_path / "new") as service:
        assert f"version {version}" in service.log()
        ask_everything(service, platform)
    with TakenOver(tmp_path / "new") as service:  # and a second start
        assert service.get(pckcert_path(platform)).status == 200
    go_back(done.json()["report"], intel)

    with contextlib.closing(intel.open()) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        tables = {table: read(database, table) for table in MODELS}
        for table, rows in tables.items():
            for row in rows.values():
                assert all(TIME.match(row[name]) for name in TIMES), (table, row)
        check_state(database, tables)
        check_old_rows(tables, before)
        check_new_rows(tables, platform)
        with database:
            for table in MODELS:
                write_as_intel(database, table)
        assert {table: read(database, table) for table in MODELS} == tables


def check_state(database, tables):
    """What the reference looks at before it starts."""
    assert [(row["server_addr"], row["db_version"]) for row in tables["pcs_version"].values()] == [
        ("127.0.0.1", 5)]
    for table in ("umzug", "SequelizeMeta"):
        names = [row[0] for row in database.execute(f"SELECT name FROM {table} ORDER BY name")]
        assert names == MIGRATIONS


def check_old_rows(tables, before):
    for table, count in before.items():
        assert len(tables[table]) >= count, table
    assert tables["platforms"][(OLD_QEID, "0000")]["enc_ppid"] == b"\xab\xcd\xef"
    assert tables["platforms_registered"][
        ("FEDCBA9876543210FEDCBA9876543210", "0000", "", "")]["platform_manifest"] == bytes(
            [10, 11, 12, 13])
    assert tables["fmspc_tcbs"][("00906EA10000", 0, 3, "STANDARD")]["signing_cert_id"] == 3
    assert (1, 3, "STANDARD") in tables["enclave_identities"]


def check_new_rows(tables, platform):
    """A question of Intel's service for the new platform finds its whole answer."""
    key = (platform["qe_id"].upper(), platform["pce_id"])
    row = tables["platforms"][key]
    assert row["enc_ppid"].hex() == platform["enc_ppid"].lower()
    assert row["fmspc"] == platform["fmspc"].upper()
    tcb = tables["platform_tcbs"][(*key, platform["cpu_svn"].upper(), platform["pce_svn"].upper())]
    certificate = tables["pck_cert"][(*key, tcb["tcbm"])]["pck_cert"]
    assert bytes(certificate, "ascii") if isinstance(certificate, str) else certificate
    chain = tables["pck_certchain"][(row["ca"],)]
    for name in ("root_cert_id", "intmd_cert_id"):
        issuer = tables["pcs_certificates"][(chain[name],)]["cert"]
        issuer = issuer.decode() if isinstance(issuer, bytes) else issuer
        assert issuer.startswith("-----BEGIN%20CERTIFICATE-----%0A")
    signed = tables["fmspc_tcbs"][(platform["fmspc"].upper(), 0, 4, "STANDARD")]["tcbinfo"]
    assert json.loads(signed)["tcbInfo"]["fmspc"].upper() == platform["fmspc"].upper()
    for identity in (1, 2, 3):
        assert json.loads(tables["enclave_identities"][(identity, 4, "STANDARD")]["identity"])
    for ca in ("PROCESSOR", "PLATFORM"):
        assert tables["pck_crl"][(ca,)]["pck_crl"][0] == 0x30  # DER
    assert tables["pcs_certificates"][(1,)]["crl"][0] == 0x30


def test_the_old_file_is_as_it_was(tmp_path):
    """Going back without what is new is to start the old service."""
    intel = IntelFolder(tmp_path / "intel", 0)
    before = intel.snapshot()
    (tmp_path / "new").mkdir()
    assert Admin(tmp_path / "new").run("init", "--from", intel).status == 0
    with TakenOver(tmp_path / "new") as service:
        service.post_json(f"{V4}/platforms", synthetic_platform(1))
    assert intel.snapshot() == before
