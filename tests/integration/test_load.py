# SPDX-License-Identifier: BSD-3-Clause
"""Many at once: a thousand misses of one key, reload and end in the middle of it all."""
import asyncio
import contextlib
import signal
import socket
import threading
import time

import pytest

from clients import pckcert_path, register, together, wait_until
from harness import TDX, V4, sha512

CROWD = 1000
TDX_FMSPC = "B0C06F000000"
MISS = f"{TDX}/tcb?fmspc={TDX_FMSPC}"
HIT = f"{V4}/tcb?fmspc=00906EA10000"


@pytest.fixture(autouse=True)
def fresh_simulator(simulator):
    simulator.control("reset")
    simulator.control("reset-stats")
    yield
    simulator.control("reset")


@pytest.fixture
def lazy(start_service, simulator):
    return start_service({**simulator.configuration(), "CachingFillMode": "LAZY",
                          "LogLevel": "info"})


class Crowd:
    """Connections that are all open before the first of them asks."""

    def __init__(self, service, paths):
        self.service = service
        self.paths = paths

    async def open(self):
        gate = asyncio.Semaphore(50)

        async def one():
            async with gate:
                return await asyncio.open_connection(
                    "127.0.0.1", self.service.port, ssl=self.service.tls,
                    server_hostname="localhost", ssl_handshake_timeout=60)

        return await asyncio.gather(*(one() for _ in self.paths))

    async def ask(self, reader, writer, path):
        with contextlib.closing(writer):
            writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
            received = await asyncio.wait_for(reader.read(), 60)
            return received.partition(b"\r\n\r\n")

    async def run(self):
        """(status line and headers, blank, body) of each."""
        peers = await self.open()
        return await asyncio.gather(*(self.ask(*peer, path)
                                      for peer, path in zip(peers, self.paths)))


def statuses_of(answers):
    return {head.split(b" ")[1] for head, _, _ in answers}


def test_a_thousand_concurrent_misses_of_one_key_are_one_upstream_request(lazy, simulator):
    simulator.control("delay", delay_ms=1000)
    answers = asyncio.run(Crowd(lazy, [MISS] * CROWD).run())
    assert statuses_of(answers) == {b"200"}
    assert len({body for _, _, body in answers}) == 1
    assert simulator.count("tcb-tdx") == 1


def test_a_thousand_concurrent_misses_of_one_platform_fetch_it_once(lazy, simulator, fleet):
    simulator.control("delay", delay_ms=300)
    answers = asyncio.run(Crowd(lazy, [pckcert_path(fleet[0])] * CROWD).run())
    assert statuses_of(answers) == {b"200"}
    assert simulator.count("pckcerts") == 1
    assert simulator.count("tcb-sgx") == simulator.count("tcb-tdx") == 2  # early and standard


def test_a_thousand_waiters_of_a_fetch_that_fails_all_hear_of_it(lazy, simulator):
    simulator.control("delay", delay_ms=1000)
    simulator.control("fault", endpoint="tcb-tdx", kind="garbage")
    answers = asyncio.run(Crowd(lazy, [MISS] * CROWD).run())
    assert statuses_of(answers) == {b"502"}
    assert simulator.count("tcb-tdx") == 1


def test_reload_under_load_drops_nothing(lazy, fleet):
    assert register(lazy, fleet[0]).status == 200
    paths = [HIT, pckcert_path(fleet[0]), "/healthz/live"]
    stop = threading.Event()
    done = []

    def keep_alive(number):
        asked = 0
        with contextlib.closing(lazy.connect()) as connection:
            while not stop.is_set():
                path = paths[asked % len(paths)]
                assert lazy.request("GET", path, connection=connection).status == 200
                assert asked == 0 or connection.sock is peer, "the connection was dropped"
                peer = connection.sock
                asked += 1
        return asked

    def connect_anew(number):
        asked = 0
        while not stop.is_set():
            assert lazy.get(paths[asked % len(paths)]).status == 200
            asked += 1
        return asked

    def reload(_):
        try:
            for number in range(10):
                lazy.write(AdminTokenHash=sha512(f"token {number}"))
                lazy.program.send(signal.SIGHUP)
                wait_until(lambda: lazy.log().count(" reload ") == number + 1, "it has reloaded")
                done.append(number)
        finally:
            stop.set()
        return 1

    roles = [reload, keep_alive, keep_alive, connect_anew, connect_anew]
    asked = together(len(roles), lambda number: roles[number](number))
    assert len(done) == 10 and min(asked) > 0
    metrics = lazy.metrics()
    assert not [name for name in metrics if 'code="5' in name and metrics[name] > 0]


def test_everybody_who_waits_at_the_end_is_answered(lazy, simulator):
    """SIGTERM while two hundred wait for the PCS: no new ones, all of these, exit status 0."""
    assert lazy.get(HIT).status == 200
    simulator.control("delay", delay_ms=1500)
    ended = []

    def end():
        wait_until(lambda: simulator.count("tcb-tdx") == 1, "the crowd waits")
        lazy.program.send(signal.SIGTERM)
        lazy.wait_for_log(" stop ")
        wait_until(is_closed, "nobody listens any more")
        ended.append(lazy.stop())

    def is_closed():
        try:
            socket.create_connection(("127.0.0.1", lazy.port), timeout=2).close()
        except OSError:
            return True
        return False

    thread = threading.Thread(target=end)
    started = time.monotonic()
    thread.start()
    answers = asyncio.run(Crowd(lazy, [MISS] * 200).run())
    thread.join(30)
    assert statuses_of(answers) == {b"200"}
    assert all(body.endswith(b"}") for _, _, body in answers)
    assert ended == [0] and time.monotonic() - started < 12


def test_at_the_end_nobody_waits_longer_than_ten_seconds_for_a_503(lazy, simulator):
    simulator.control("delay", delay_ms=60000)
    answers = []
    asker = threading.Thread(target=lambda: answers.append(lazy.get(MISS)))
    asker.start()
    wait_until(lambda: simulator.count("tcb-tdx") == 1, "it waits")
    started = time.monotonic()
    assert lazy.stop() == 0
    asker.join(5)
    assert 8 < time.monotonic() - started < 12
    assert answers[0].status == 503 and answers[0].body == b""
