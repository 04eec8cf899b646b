# SPDX-License-Identifier: BSD-3-Clause
"""Look-ups and registrations per second, by database and by number of instances on it.

A look-up is a pckcert of a random platform that is not in memory: database, proof, answer. A
registration is a POST /platforms in OFFLINE mode: one durable row of the queue. All of it, clients,
instances and the database with its syncs, shares the machine, so that figures compare, no more.
"""
import contextlib
import json
import pathlib
import statistics
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "integration"))

from clients import pckcert_path, synthetic_platform  # noqa: E402
from database_server import DatabaseServer, missing  # noqa: E402
from harness import BUILD, USER_TOKEN, V4, Service, Simulator  # noqa: E402

LOAD = BUILD / "tests" / "bench" / "load"
PATH_PCK = "{V4}/pckcert?qeid=%n&cpusvn={cpu_svn}&pcesvn={pce_svn}&pceid={pce_id}"
CONNECTIONS = 24  # for all instances together
TABLES = {
    "platforms": "pce_id, platform_manifest, enc_ppid, fmspc, ca, created_time, updated_time",
    "platform_tcbs": "pce_id, cpu_svn, pce_svn, tcbm, created_time, updated_time",
    "pck_cert": "pce_id, tcbm, pck_cert, created_time, updated_time",
    "pccs_platforms": "pce_id, not_available_at, chain_id, certs_time, created_time, updated_time",
}
NUMBERS = {
    "sqlite": ("WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < {last}) ",
               "n", "printf('%032X', n.i)"),
    "postgres": ("", "generate_series(0, {last}) AS n(i)", "lpad(upper(to_hex(n.i)), 32, '0')"),
    "mariadb": ("", "seq_0_to_{last} n", "lpad(hex(n.seq), 32, '0')"),
}


def multiply_sql(kind, qe_id, count):
    """Statements that tell one platform count times, told apart by the QE ID."""
    head, numbers, number = (text.format(last=count - 1) for text in NUMBERS[kind])
    for table, columns in TABLES.items():
        selected = ", ".join(f"t.{name.strip()}" for name in columns.split(","))
        only = ("AND t.tcbm = (SELECT tcbm FROM platform_tcbs m WHERE m.qe_id = t.qe_id LIMIT 1)"
                if table == "pck_cert" else "")
        into = f"INSERT INTO {table} (qe_id, {columns})"
        select = (f"SELECT {number}, {selected} FROM {numbers}, {table} t"
                  f" WHERE t.qe_id = '{qe_id}' {only}")
        yield f"{head}{into} {select}"


class Database:
    """One kind of database, with one real platform and its collateral told many times."""

    def __init__(self, kind, folder, simulator, platforms):
        self.kind = kind
        self.folder = folder
        self.upstream = simulator.configuration()
        self.platform = next(p for p in simulator.fleet() if p["name"] == "client-1")
        self.server = None if kind == "sqlite" else DatabaseServer(kind, durable=True)
        self.platforms = platforms

    def __enter__(self):
        if self.server is not None:
            self.server.__enter__()
            self.name = self.server.create_database()
        self.fill()
        return self

    def __exit__(self, *_):
        if self.server is not None:
            self.server.close()

    def configuration(self):
        if self.server is None:
            return {"sqlite": {"options": {"storage": str(self.folder / "pckcache.db")}}}
        return self.server.configuration(self.name, pool_max=8)

    def service(self, name, **configuration):
        return Service(self.folder / name, {
            **self.upstream, **self.configuration(), "LogLevel": "warn", "LogFile": "pccs.log",
            **configuration})

    def fill(self):
        with self.service("fill", CachingFillMode="LAZY") as service:
            for path in (pckcert_path(self.platform), f"{V4}/tcb?fmspc={self.platform['fmspc']}",
                         f"{V4}/rootcacrl", f"{V4}/pckcrl?ca=processor",
                         f"{V4}/pckcrl?ca=platform"):
                answer = service.get(path)
                assert answer.status == 200, (path, answer)
        for statement in multiply_sql(self.kind, self.platform["qe_id"], self.platforms):
            self.execute(statement)

    def execute(self, statement):
        if self.server is not None:
            self.server.query(statement, self.name, seconds=600)
            return
        import sqlite3
        with sqlite3.connect(self.folder / "pckcache.db") as database:
            database.execute(statement)

    @contextlib.contextmanager
    def instances(self, count, **configuration):
        with contextlib.ExitStack() as stack:
            yield [stack.enter_context(self.service(f"instance-{i}", **configuration))
                   for i in range(count)]


def together(services, *options):
    """The same load on all instances at once: answers per second in all."""
    children = [
        subprocess.Popen(
            [str(LOAD), "keepalive", "--port", str(service.port), "--seed", str(number + 1),
             "--connections", str(CONNECTIONS // len(services)), *map(str, options)],
            stdout=subprocess.PIPE, text=True)
        for number, service in enumerate(services)]
    per_second = 0
    for child in children:
        text = child.communicate()[0]
        result = json.loads(text)
        assert result["errors"] == 0 and set(result["statuses"]) == {"200"}, text
        per_second += result["requests"] / result["seconds"]
    return per_second


def registration_request(folder):
    row = {**synthetic_platform(0), "qe_id": "%n", "cpu_svn": "0" * 32}
    body = json.dumps(row)
    size = len(body.replace("%n", "0" * 32))
    path = folder / "registration.http"
    path.write_bytes(
        f"POST {V4}/platforms HTTP/1.1\r\nHost: localhost\r\nuser-token: {USER_TOKEN}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {size}\r\n\r\n{body}".encode())
    return path


def measure(bench):
    platforms = 10_000 if bench.quick else 100_000
    folder = bench.folder / "stores"
    folder.mkdir()
    request = registration_request(folder)
    with Simulator(folder / "sim") as simulator:
        for kind in ("sqlite", "postgres", "mariadb"):
            if kind != "sqlite" and missing(kind):
                print(f"{kind}: {missing(kind)}")
                continue
            with Database(kind, folder / kind, simulator, platforms) as database:
                measure_one(bench, database, request)


def measure_one(bench, database, request):
    path = PATH_PCK.format(V4=V4, **database.platform)
    for count in ((1,) if database.server is None else (1, 2, 3)):
        name = f"{database.kind}, {count} instance{'s' if count > 1 else ''}"
        # the smallest memory, so that the database is asked
        with database.instances(count, CachingFillMode="OFFLINE",
                                MemoryCacheSize="1MB") as services:
            figures = [together(services, "--path", path, "--range", database.platforms,
                                "--seconds", bench.seconds) for _ in range(bench.runs)]
        bench.table.add(f"look-ups, {name}", statistics.median(figures), "per s", detail=figures)
        with database.instances(count, CachingFillMode="OFFLINE") as services:
            figures = [together(services, "--request", request, "--range", 1 << 62,
                                "--seconds", bench.seconds) for _ in range(bench.runs)]
        bench.table.add(f"registrations, {name}", statistics.median(figures), "per s",
                        detail=figures)
