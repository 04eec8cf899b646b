# SPDX-License-Identifier: BSD-3-Clause
"""The database server is gone, hangs, or is not there yet, with PostgreSQL and with MariaDB.

What is in memory is answered, the rest is refused with a reason, and all is well again by itself.
Both kinds of servers suffer at the same time, for the tests wait for most of theirs.
"""
import concurrent.futures
import contextlib
import re
import socket
import time

import pytest

from clients import pckcert_path, register, wait_until
from database_server import KINDS, DatabaseServer, missing
from fleet import Fleet, alive, descriptors, on_all, ready
from harness import TDX, V4, Program, Service, Simulator, clean_environment, program

RECOVERY_SECONDS = 5
STATEMENT_SECONDS = 10  # SERVER_STATEMENT_MS
CONNECT_SECONDS = 3  # SERVER_CONNECT_MS
CACHED_SECONDS = 1.0  # an answer from memory, on a busy machine
TROUBLES_PER_SECOND = 10  # of each instance, in its log
STORM = 400
MISS = f"{TDX}/tcb?fmspc=B0C06F000000"

pytestmark = pytest.mark.skipif(any(map(missing, KINDS)), reason="needs both servers")


def on_both(case, folder):
    """case(server, folder) with a server of each kind, at once."""
    def run(kind):
        (folder / kind).mkdir(exist_ok=True)
        with DatabaseServer(kind) as server:
            return case(server, folder / kind)

    return dict(zip(KINDS, on_all(run, KINDS)))


def run(service, token_free_of):
    done = service.run()
    assert token_free_of not in done.stdout + done.stderr
    return done


# ---- refusals at the start ----

def refuse(server, folder):
    database = server.create_database()
    right = server.configuration(database)
    section = server.kind
    for change, reason in (({"password": "not a good one"}, "password|denied"),
                           ({"username": "nobody_at_all"}, "password|denied|role"),
                           ({"database": "no_such_database"}, "there is no (such )?database")):
        service = Service(folder / next(iter(change)),
                          {**right, section: {**right[section], **change}})
        service.make_tls()
        done = run(service, "not a good one")
        assert done.returncode == 1, (change, done)
        assert re.search(reason, done.stderr), done.stderr
        assert server.service_password not in done.stderr + done.stdout
        assert " ready " not in done.stdout


def test_what_an_operator_must_mend_ends_the_start_with_the_reason(tmp_path):
    on_both(refuse, tmp_path)


class Notified:
    """What a service tells systemd."""

    def __init__(self, path):
        self.path = path
        self.words = []

    def __enter__(self):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(self.path))
        self.socket.setblocking(False)
        return self

    def __exit__(self, *_):
        self.socket.close()

    def all(self):
        with contextlib.suppress(BlockingIOError):
            while True:
                self.words += self.socket.recv(4096).decode().splitlines()
        return self.words


def start_and_leave(service, notified=None):
    """Starts pccsd without waiting for it."""
    service.make_tls()
    extra = {"NOTIFY_SOCKET": str(notified.path)} if notified else {}
    service.program = Program([program("pccsd"), "-c", service.config_path],
                              clean_environment(extra), service.folder)
    return service


def wait_for_the_server(server, folder):
    configuration = server.configuration(server.create_database())
    server.stop()
    with Notified(folder / "notify") as notified:
        waiting = [start_and_leave(Service(folder / f"waiting{n}", configuration),
                                   notified if n == 0 else None) for n in range(2)]
        ended = start_and_leave(Service(folder / "ended", configuration))
        try:
            for service in [*waiting, ended]:
                service.wait_for_log("store-waiting")
            begin = time.monotonic()
            assert ended.program.end() == 0
            assert time.monotonic() - begin < 2
            assert all(map(alive, waiting))
            assert "READY=1" not in notified.all()
            server.start()
            begin = time.monotonic()
            for service in waiting:
                service.port = service.program.wait_for_port()
            assert time.monotonic() - begin < RECOVERY_SECONDS
            wait_until(lambda: "READY=1" in notified.all(), "systemd is told")
            assert all(map(ready, waiting))
            lines = waiting[0].log().count("store-waiting")
            assert lines <= 2, waiting[0].log()
            assert server.service_password not in waiting[0].log()
        finally:
            for service in [*waiting, ended]:
                service.program.end()


def test_a_start_without_a_server_waits_for_it(tmp_path):
    on_both(wait_for_the_server, tmp_path)


def open_empty(server, folder):
    with Fleet(folder, server, {"CachingFillMode": "OFFLINE"}) as fleet:
        for table in ("pcs_version", "pccs_owner"):
            assert server.query(f"SELECT count(*) FROM {table}", fleet.database) == [("1",)]
        assert len(server.query("SELECT instance FROM pccs_instances", fleet.database)) == 3
        assert all(map(ready, fleet.services))


def test_three_that_find_an_empty_database_at_once_make_one_schema(tmp_path):
    on_both(open_empty, tmp_path)


# ---- outages ----

class Outages:
    """Each way in which a server can be away, one after the other, under two instances."""

    def __init__(self, server, folder):
        self.server = server
        self.folder = folder
        self.figures = {}

    def run(self):
        with Simulator(self.folder / "simulator", "--generate", "40") as simulator:
            self.simulator = simulator
            self.platforms = iter(p for p in simulator.fleet() if p["name"].startswith("gen-"))
            with Fleet(self.folder / "fleet", self.server, {
                    **simulator.configuration(), "CachingFillMode": "LAZY", "LogLevel": "info"},
                    count=2) as fleet:
                self.fleet = fleet
                self.known = next(self.platforms)
                assert register(fleet[0], self.known).status == 200
                self.paths = [pckcert_path(self.known), f"{V4}/qe/identity", f"{V4}/rootcacrl",
                              f"{V4}/tcb?fmspc={self.known['fmspc']}",
                              f"{V4}/pckcrl?ca=processor"]
                fleet.settle()
                self.bodies = [fleet.asked_by_all(path).body for path in self.paths]
                self.suffer("kill", self.server.kill, self.server.start)
                before = on_all(descriptors, fleet.services)
                self.suffer("stop", self.server.stop, self.server.start)
                self.suffer("pause", self.server.pause, self.server.resume)
                self.suffer("connections", self.server.terminate_connections, lambda: None)
                # A connection more or less is in a pool.
                for now, then in zip(on_all(descriptors, fleet.services), before):
                    assert now <= then + 3
        return self.figures

    def suffer(self, name, begin, end):
        lines = self.fleet.logs().count("store-failed")
        begin()
        began = time.monotonic()
        if name != "connections":
            self.during(name == "pause")
        if name == "kill":
            self.storm()
        lasted = time.monotonic() - began
        lines = self.fleet.logs().count("store-failed") - lines
        assert lines <= len(self.fleet) * TROUBLES_PER_SECOND * (lasted + 2)
        end()
        self.figures[name] = round(self.recover(), 2)

    def during(self, hangs):
        """Misses and writes are refused, cached answers go on meanwhile."""
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            asked = [pool.submit(self.refused, call, hangs) for call in (
                lambda service: service.get(MISS),
                lambda service: service.get(pckcert_path(next(self.platforms))),
                lambda service: register(service, next(self.platforms)))
                for _ in range(2)]
            watching = [pool.submit(self.becomes_unready, service, hangs)
                        for service in self.fleet.services]
            while not all(one.done() for one in asked + watching):
                self.cached_goes_on()
            for one in asked + watching:
                one.result()

    def storm(self):
        """More misses than the log is to tell of one by one."""
        before = self.fleet.logs().count("store-failed")
        began = time.monotonic()
        with contextlib.closing(self.fleet[0].connect()) as connection:
            for _ in range(STORM):
                answer = self.fleet[0].request("GET", MISS, connection=connection)
                assert answer.status == 503, answer
        assert STORM / (time.monotonic() - began) > 4 * TROUBLES_PER_SECOND
        assert self.fleet.logs().count("store-failed") - before < STORM / 2
        wait_until(lambda: re.search("store-failed.* left_out=[1-9]", self.fleet[0].log())
                   or self.fleet[0].get(MISS).status != 503, "what was left out is counted")

    def cached_goes_on(self):
        for service in self.fleet.services:
            for path, body in zip(self.paths, self.bodies):
                begin = time.monotonic()
                answer = service.get(path)
                took = time.monotonic() - begin
                assert (answer.status, answer.body) == (200, body), (path, answer)
                assert took < CACHED_SECONDS, (path, took)
            assert service.get("/healthz/live").status == 200

    def refused(self, call, hangs):
        for service in self.fleet.services:
            begin = time.monotonic()
            answer = call(service)
            took = time.monotonic() - begin
            assert answer.status == 503, answer
            assert int(answer.header("Retry-After")) > 0, answer
            detail = answer.header("PCCS-Error-Detail")
            assert f"{self.server.port}/{self.fleet.database}" in detail, answer
            assert self.server.service_password not in str(answer)
            # a statement that hangs, a connection that hangs, and others before it
            assert took < (2 * STATEMENT_SECONDS + CONNECT_SECONDS if hangs else 4), took

    def becomes_unready(self, service, hangs):
        seconds = 2 * STATEMENT_SECONDS if hangs else RECOVERY_SECONDS
        wait_until(lambda: not ready(service), "it is not ready", seconds)
        assert "reason" in service.get("/healthz/ready").json()

    def recover(self):
        """Seconds until both are ready and take what is new."""
        begin = time.monotonic()
        for service in self.fleet.services:
            wait_until(lambda service=service: ready(service), "it is ready again", 20)
        platform = next(self.platforms)
        wait_until(lambda: register(self.fleet[0], platform).status == 200, "it registers", 20)
        took = time.monotonic() - begin
        assert took < RECOVERY_SECONDS, took
        self.fleet.settle()
        assert self.fleet.asked_by_all(pckcert_path(platform)).status == 200
        self.cached_goes_on()
        return took


def test_an_outage_is_survived(tmp_path):
    for kind, figures in on_both(lambda server, folder: Outages(server, folder).run(),
                                 tmp_path).items():
        print(f"\n{kind}: seconds until all was well again: {figures}")
