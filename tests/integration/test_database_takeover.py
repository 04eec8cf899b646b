# SPDX-License-Identifier: BSD-3-Clause
"""Databases that Intel's service wrote on MySQL are taken over in place, whatever their version.

What pccsd then serves is what it serves from an SQLite database of the same version and rows. Rows
that do not verify are left where they are, not served, and named in the log and by pccsadmin
status; so they are in all three stores.
"""
import contextlib
import re
import sqlite3

import pytest

from admin import Admin
from clients import Administrator, pckcert_path, upload, wait_until
from fleet import on_all
from harness import ADMIN_TOKEN, ROOT, TDX, V3, V4, Service, Simulator

VECTORS = ROOT / "tests" / "vectors" / "databases"
VERSIONS = range(6)
BAD_FMSPC = "BADBADBADBAD"
# In the order in which a version's rows may be put in; all that a service serves from.
TABLES = ("pcs_certificates", "pck_certchain", "pck_crl", "fmspc_tcbs", "enclave_identities",
          "platforms", "platform_tcbs", "pck_cert", "crl_cache", "platforms_registered")
SIGNED = ("fmspc_tcbs", "enclave_identities")  # before version 3 they hold what API v3 signed
HEX_IN_0 = {("pck_crl", "pck_crl"), ("pcs_certificates", "crl"),
            ("platforms", "enc_ppid"), ("platforms", "platform_manifest"),
            ("platforms_registered", "enc_ppid"), ("platforms_registered", "platform_manifest")}
BLOBS = {"pck_crl", "crl", "enc_ppid", "platform_manifest", "tcbinfo", "identity", "pck_cert",
         "cert"}


class Source:
    """Real rows: what pccsd stored of a file that was uploaded, as Intel's tables have it."""

    def __init__(self, folder):
        self.simulator = Simulator(folder / "simulator")
        self.folder = folder

    def __enter__(self):
        self.simulator.__enter__()
        self.platforms = [p for p in self.simulator.fleet() if p["expected_tcbm"]][:3]
        with Service(self.folder / "source", self.configuration()) as service:
            assert upload(service, Administrator(self.simulator).file(self.platforms)).status == 200
        with contextlib.closing(sqlite3.connect(self.folder / "source/pckcache.db")) as database:
            database.row_factory = sqlite3.Row
            self.rows = {table: [dict(row) for row in database.execute(f"SELECT * FROM {table}")]
                         for table in TABLES}
        return self

    def __exit__(self, *_):
        self.simulator.__exit__()

    def configuration(self):
        return {**self.simulator.configuration(), "CachingFillMode": "OFFLINE",
                "LogLevel": "info"}

    def of_version(self, table, version):
        """The rows that a database of this version can hold, with the columns that it has."""
        for row in self.rows[table]:
            if table in SIGNED and version < 3:
                continue
            if table in SIGNED and version < 5 and row["update_type"] != "STANDARD":
                continue
            row = {name: value for name, value in row.items()
                   if not (table in SIGNED and version < 5 and name == "update_type")}
            for name, value in row.items():
                if version == 0 and (table, name) in HEX_IN_0 and value is not None:
                    row[name] = bytes(value).hex() if not isinstance(value, str) else value
            yield row
        if table == "fmspc_tcbs" and version >= 3 and self.rows[table]:
            bad = dict(self.rows[table][0], fmspc=BAD_FMSPC, tcbinfo=b'{"tcbInfo":{}}')
            yield {name: value for name, value in bad.items()
                   if version >= 5 or name != "update_type"}


def literal(name, value):
    """For MariaDB."""
    if value is None:
        return "NULL"
    if isinstance(value, int):
        return str(value)
    if name in ("created_time", "updated_time"):
        return f"'{value[:19]}'"
    raw = value if isinstance(value, bytes) else value.encode()
    return f"x'{raw.hex()}'" if raw else "''"


def tables_of(version):
    return [table for table in TABLES
            if not (table in ("crl_cache", "enclave_identities") and version < 2)]


def empty(version):
    old = ["qe_identities", "qve_identities"] if version < 2 else []
    return [f"DELETE FROM {table}" for table in [*tables_of(version), *old]] + [
        "UPDATE pcs_version SET server_addr = '127.0.0.1'"]


def make_sqlite(path, version, source):
    path.parent.mkdir(parents=True)
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.executescript((VECTORS / f"version_{version}.sql").read_text())
        for statement in empty(version):
            database.execute(statement)
        for table in tables_of(version):
            for row in source.of_version(table, version):
                database.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES "
                                 f"({', '.join('?' * len(row))})", list(row.values()))
        database.commit()


def make_mysql(server, version, source):
    database = server.create_database()
    statements = [(VECTORS / f"mysql_version_{version}.sql").read_text().rstrip().rstrip(";"),
                  *empty(version)]
    for table in tables_of(version):
        for row in source.of_version(table, version):
            values = ", ".join(literal(name, value) for name, value in row.items())
            statements.append(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({values})")
    server.query(";\n".join(statements) + ";\n", database)
    return database


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    with Source(tmp_path_factory.mktemp("source")) as made:
        yield made


def questions(source):
    paths = [pckcert_path(platform) for platform in source.platforms]
    for fmspc in sorted({p["fmspc"] for p in source.platforms} | {"00906EA10000", BAD_FMSPC}):
        paths += [f"{base}/tcb?fmspc={fmspc}&update={update}"
                  for base in (V3, V4, TDX) for update in ("standard", "early")
                  if (base, update) != (V3, "early")]
        paths.append(f"{V4}/appraisalpolicy?fmspc={fmspc}")
    paths += [f"{base}/{what}/identity" for base, what in (
        (V3, "qe"), (V4, "qe"), (V4, "qve"), (TDX, "qe"), (V3, "qve"))]
    paths += [f"{V4}/rootcacrl", f"{V4}/pckcrl?ca=processor", f"{V4}/pckcrl?ca=platform",
              f"{V3}/pckcrl?ca=processor"]
    return paths


def served(service, source):
    """What a service answers, and its queue and platforms."""
    answers = {path: service.get(path) for path in questions(source)}
    found = {path: (answer.status, answer.body) for path, answer in answers.items()}
    for query in ("?source=reg&peek=1", "?source=reg_na&peek=1", "?source=reg_pending",
                  "?source=%5B%5D"):
        answer = service.admin_get(f"{V4}/platforms{query}")
        assert answer.status == 200
        found[query] = sorted(map(str, answer.json()))
    return found


def unproven(service):
    return sorted(set(re.findall(r"row-unproven.* item=(\S+)", service.log())))


def take_over(server, folder, version, source):
    """The answers from SQLite, the answers from MariaDB, and both logs' rows."""
    make_sqlite(folder / "sqlite" / "pckcache.db", version, source)
    database = make_mysql(server, version, source)
    count = f"SELECT count(*) FROM fmspc_tcbs WHERE fmspc = '{BAD_FMSPC}'"
    with Service(folder / "sqlite", source.configuration()) as there, \
            Service(folder / "mysql", {**source.configuration(),
                                       **server.configuration(database, section="mysql")}) as here:
        result = [(served(service, source), unproven(service)) for service in (there, here)]
        assert f"it was of version {version}" in here.log(), here.log()
        assert "have a backup" in here.log()
    assert server.query(count, database) == [("1" if version >= 3 else "0",)]
    return result


def test_mysql_of_each_version_is_served_as_sqlite_of_that_version(
        tmp_path, mariadb_server, source):
    results = on_all(lambda version: take_over(mariadb_server, tmp_path / str(version), version,
                                               source), list(VERSIONS))
    for version, ((there, there_unproven), (here, here_unproven)) in zip(VERSIONS, results):
        for asked, answer in there.items():
            assert here[asked] == answer, (version, asked, here[asked], answer)
        assert here_unproven == there_unproven
        for platform in source.platforms:
            assert here[pckcert_path(platform)][0] == 200, (version, platform["name"])
        assert here[f"{V4}/pckcrl?ca=processor"][0] == here[f"{V4}/rootcacrl"][0] == 200
        if version >= 3:
            fmspc = source.platforms[0]["fmspc"]
            assert here[f"{V4}/tcb?fmspc={fmspc}&update=standard"][0] == 200, version
            assert any(BAD_FMSPC in name for name in here_unproven)
        if version >= 4:
            assert here[f"{V4}/appraisalpolicy?fmspc=00906EA10000"] == (200, b"a.b.c")


def test_a_database_of_another_pcs_is_refused(tmp_path, mariadb_server, source):
    database = make_mysql(mariadb_server, 5, source)
    mariadb_server.query("UPDATE pcs_version SET server_addr = 'pcs.example.org'", database)
    service = Service(tmp_path, {**source.configuration(),
                                 **mariadb_server.configuration(database)})
    service.make_tls()
    done = service.run()
    assert done.returncode == 1
    assert "pcs.example.org" in done.stderr and "127.0.0.1" in done.stderr, done.stderr


# ---- rows that do not verify ----

@pytest.mark.parametrize("kind", ["sqlite", "postgres", "mariadb"])
def test_a_row_that_does_not_verify_is_left_in_place_and_named(tmp_path, request, source, kind):
    fmspc = source.platforms[0]["fmspc"]
    damage = f"UPDATE fmspc_tcbs SET tcbinfo = '{{}}' WHERE fmspc = '{fmspc}'"
    count = f"SELECT count(*) FROM fmspc_tcbs WHERE fmspc = '{fmspc}'"
    more = {}
    if kind == "sqlite":
        def ask(sql):
            with contextlib.closing(sqlite3.connect(tmp_path / "service/pckcache.db")) as database:
                rows = database.execute(sql).fetchall()
                database.commit()
                return rows
    else:
        server = request.getfixturevalue(f"{kind}_server")
        name = server.create_database()
        more = server.configuration(name)

        def ask(sql):
            return server.query(sql, name)

    with Service(tmp_path / "service", {**source.configuration(), **more}) as service:
        assert upload(service, Administrator(source.simulator).file(source.platforms)).status == 200
        path = f"{V4}/tcb?fmspc={fmspc}"
        assert service.get(path).status == 200
        assert "unserved" not in service.get("/healthz/ready").json()
        rows = int(ask(count)[0][0])
        assert service.stop() == 0
        ask(damage)
        service.start_again()
        assert service.get(path).status == 404
        wait_until(lambda: service.get("/healthz/ready").json().get("unserved_rows") == rows,
                   "the rows are counted")
        assert any(fmspc in item for item in unproven(service))
        done = Admin(tmp_path).run(
            "status", "-u", f"https://localhost:{service.port}",
            "--ca", service.folder / "ssl_key/ca.crt",
            environment={"PCCS_ADMIN_TOKEN": ADMIN_TOKEN})
        assert done.status == 0, done
        assert f"{rows} rows do not verify and are not served" in done.out, done.out
        assert fmspc in done.out
    assert int(ask(count)[0][0]) == rows
