# SPDX-License-Identifier: BSD-3-Clause
"""Peers that drip, lie, stay silent, come in thousands or vanish.

Each is dealt with in time, and everybody else goes on being served.
"""
import contextlib
import os
import re
import resource
import socket
import struct
import time

import pytest

from clients import register, together, wait_until
from harness import ADMIN_TOKEN, USER_TOKEN, V4

QUICK = {"HeadersTimeoutSeconds": 1, "RequestTimeoutSeconds": 1, "KeepAliveTimeoutSeconds": 2}
PATH = f"{V4}/rootcacrl"
RESET = struct.pack("ii", 1, 0)


@pytest.fixture
def quick(start_service):
    return start_service(QUICK)


def descriptors(service):
    """Without the database's: its readers open theirs when they are first needed."""
    count = 0
    folder = f"/proc/{service.program.process.pid}/fd"
    for name in os.listdir(folder):
        with contextlib.suppress(OSError):
            count += "pckcache.db" not in os.readlink(f"{folder}/{name}")
    return count


def resident_mb(service):
    """Memory in use; 0 under the sanitizers, which use much themselves."""
    process = f"/proc/{service.program.process.pid}"
    with open(f"{process}/maps") as maps, open(f"{process}/statm") as statm:
        sanitized = re.search("lib[at]san", maps.read())
        return 0 if sanitized else int(statm.read().split()[1]) * resource.getpagesize() >> 20


def head(path=PATH, *lines, method="GET"):
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: x", *lines, "", ""]).encode()


def read_all(peer):
    """Everything until the other side closes; resets count as the end."""
    received = b""
    with contextlib.suppress(OSError):
        while part := peer.recv(65536):
            received += part
    return received


def assert_well(service, before):
    """It answers at once, and no descriptor has stayed behind."""
    started = time.monotonic()
    assert service.get(PATH).status == 404
    assert time.monotonic() - started < 1
    wait_until(lambda: descriptors(service) <= before + 2, "its descriptors are closed again")


# ---- slowly ----

def test_dripping_peers_are_cut_off_in_time_and_hold_up_nobody(quick):
    before = descriptors(quick)

    def drip(_):
        """Seconds until the answer, for one byte every 50 ms."""
        with quick.open_socket(timeout=0.05) as peer:
            started = time.monotonic()
            for byte in head(PATH, "X: " + "y" * 1000):
                peer.sendall(bytes([byte]))
                with contextlib.suppress(TimeoutError):
                    assert peer.recv(100).startswith(b"HTTP/1.1 408 ")
                    return time.monotonic() - started
        raise AssertionError("it was heard to the end")

    def ask(_):
        worst = 0
        for _ in range(50):
            started = time.monotonic()
            assert quick.get(PATH).status == 404
            worst = max(worst, time.monotonic() - started)
        return worst

    results = together(21, lambda number: drip(number) if number < 20 else ask(number))
    assert all(0.8 < seconds < 2.5 for seconds in results[:20]), results
    assert results[20] < 0.5
    assert_well(quick, before)


@pytest.mark.parametrize("sent, answer", [
    (b"", b""), (b"GET " + PATH.encode(), b"HTTP/1.1 408 "), (head()[:-2], b"HTTP/1.1 408 "),
    (head(f"{V4}/platforms", f"user-token: {USER_TOKEN}", "Content-Type: application/json",
          "Content-Length: 10", method="POST") + b"{", b"HTTP/1.1 408 "),
], ids=["nothing", "half-a-line", "no-empty-line", "half-a-body"])
def test_half_a_request_is_ended_in_time(quick, sent, answer):
    before = descriptors(quick)
    with quick.open_socket(timeout=5) as peer:
        started = time.monotonic()
        peer.sendall(sent) if sent else None
        received = read_all(peer)
        assert 0.8 < time.monotonic() - started < 3
        assert received.startswith(answer) and (answer or received == b"")
    assert_well(quick, before)


@pytest.mark.parametrize("sent", [b"", b"\x16\x03\x01\x02\x00\x01\x00", b"\x16\x03\x01\xff\xff" * 9,
                                  b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", os.urandom(2000)],
                         ids=["nothing", "half-a-hello", "headers", "plain-http", "noise"])
def test_what_is_no_tls_handshake_is_ended_in_time(quick, sent):
    before = descriptors(quick)
    peers = [socket.create_connection(("127.0.0.1", quick.port), timeout=5) for _ in range(20)]
    started = time.monotonic()
    for peer in peers:
        peer.sendall(sent)
    for peer in peers:
        with peer:
            assert b"HTTP/" not in read_all(peer)
    assert time.monotonic() - started < 3
    assert_well(quick, before)


def test_a_peer_that_does_not_read_is_cut_off(start_service):
    service = start_service(QUICK)
    before = descriptors(service)
    with contextlib.closing(socket.socket()) as plain:
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        plain.settimeout(5)
        plain.connect(("127.0.0.1", service.port))
        with service.tls.wrap_socket(plain, server_hostname="localhost") as peer:
            with contextlib.suppress(OSError):  # until nothing fits any more
                while True:
                    peer.sendall(head("/metrics") * 100)
    wait_until(lambda: descriptors(service) <= before + 1, "it has been cut off", 10)
    assert_well(service, before)


# ---- with lies ----

@pytest.mark.parametrize("sent, status", [
    (head(PATH, "Content-Length: 5", "Transfer-Encoding: chunked", method="POST") +
     b"0\r\n\r\n", 400),
    (head(PATH, "Content-Length: 5", "Content-Length: 6", method="POST") + b"12345", 400),
    (head(PATH, "Transfer-Encoding: gzip, chunked", method="POST") + b"0\r\n\r\n", 501),
    (head(PATH, " folded: yes"), 400),
    (head(PATH, "Name : value"), 400),
    (b"GET / HTTP/1.1\nHost: x\n\n", 400),
    (b"GET / HTTP/1.1\r\n\r\n", 400),
    (head(PATH, "Host: y"), 400),
    (b"GET /\0 HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    (b"GET " + b"/" * 17000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
    (head(PATH, "X: " + "y" * 17000), 431),
    (head(PATH, *[f"X{number}: y" for number in range(101)]), 431),
], ids=["cl-te", "cl-cl", "te-te", "fold", "blank", "lf", "no-host", "two-hosts", "nul",
        "long-path", "huge-header", "many-headers"])
def test_doubtful_requests_are_refused_bare_and_the_connection_closed(offline, sent, status):
    smuggled = head("/healthz/live")
    with offline.open_socket(timeout=5) as peer:
        peer.sendall(sent + smuggled)
        received = read_all(peer)
    assert received.startswith(f"HTTP/1.1 {status} ".encode())
    assert received.count(b"HTTP/1.1 ") == 1, "what came behind was taken for a request"
    assert b"\r\nContent-Length: 0\r\n" in received and received.endswith(b"\r\n\r\n")


def test_a_body_that_pretends_to_be_a_request_is_not_one(offline):
    smuggled = head("/healthz/live")
    with offline.open_socket(timeout=5) as peer:
        peer.sendall(head(PATH, f"Content-Length: {len(smuggled)}") + smuggled +
                     head("/nothing", "Connection: close"))
        received = read_all(peer)
    assert re.findall(rb"HTTP/1.1 (\d+)", received) == [b"404", b"404"]
    assert b'"status"' not in received


# ---- in crowds ----

def test_two_thousand_idle_connections_keep_nobody_out(start_service):
    service = start_service()
    before = descriptors(service)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 2500:
        pytest.skip(f"only {hard} descriptors are allowed here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2500), hard))
    with contextlib.ExitStack() as stack:
        stack.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        for _ in range(2000):
            stack.enter_context(service.open_socket())
        assert descriptors(service) >= before + 2000
        started = time.monotonic()
        for _ in range(50):
            assert service.get(PATH).status == 404
        assert time.monotonic() - started < 2
        assert resident_mb(service) < 100
    assert_well(service, before)


@contextlib.contextmanager
def descriptors_left(service, count):
    pid = service.program.process.pid
    limit = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    taken = len(os.listdir(f"/proc/{pid}/fd"))
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (taken + count, limit[1]))
    yield
    resource.prlimit(pid, resource.RLIMIT_NOFILE, limit)


def test_without_descriptors_idle_connections_make_room(start_service):
    service = start_service({"Workers": 1})  # a loop closes idle connections of its own only
    before = descriptors(service)
    with contextlib.ExitStack() as stack:
        stack.enter_context(descriptors_left(service, 20))
        for _ in range(60):
            peer = stack.enter_context(contextlib.closing(service.connect()))
            assert service.request("GET", PATH, connection=peer).status == 404
    assert_well(service, before)


def test_without_descriptors_silent_peers_are_soon_gone_and_all_is_well(start_service):
    service = start_service(QUICK)
    before = descriptors(service)
    with contextlib.ExitStack() as stack:
        stack.enter_context(descriptors_left(service, 20))
        for _ in range(100):
            stack.enter_context(socket.create_connection(("127.0.0.1", service.port), timeout=5))

        def is_answered():
            with contextlib.suppress(OSError):
                return service.get(PATH).status == 404

        wait_until(is_answered, "somebody is answered again", 5)
    assert_well(service, before)
    assert service.log().count(" server ") < 50, "it wrote a line for every connection"


# ---- gone ----

def test_peers_that_reset_in_the_middle_of_an_answer_leave_nothing_behind(start_service, fleet):
    service = start_service()
    platforms = [p for p in fleet if p["platform_manifest"]]
    for platform in platforms:  # a queue of some 500 KB, more than a socket takes at once
        for digit in "123":
            assert register(service, platform, qe_id=digit + platform["qe_id"]).status == 200
    whole = len(service.admin_get(f"{V4}/platforms?peek=1").body)
    assert whole > 300_000
    before = descriptors(service)

    def reset(_):
        for _ in range(5):
            plain = socket.socket()
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            plain.connect(("127.0.0.1", service.port))
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            with service.tls.wrap_socket(plain, server_hostname="localhost") as peer:
                peer.sendall(head(f"{V4}/platforms?peek=1", f"admin-token: {ADMIN_TOKEN}"))
                assert peer.recv(1000).startswith(b"HTTP/1.1 200 ")

    together(10, reset)
    assert_well(service, before)
    assert len(service.admin_get(f"{V4}/platforms?peek=1").body) == whole


def test_peers_that_leave_before_their_answer_leave_nothing_behind(start_service, simulator):
    service = start_service({**simulator.configuration(), "CachingFillMode": "LAZY"})
    simulator.control("delay", delay_ms=300)
    before = descriptors(service)
    for number in range(40):
        with service.open_socket() as peer:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            peer.sendall(head(f"{V4}/tcb?fmspc=00906EA10000&tcbEvaluationDataNumber={number % 4}"))
    simulator.control("delay", delay_ms=0)
    wait_until(lambda: service.metrics()["pccs_flights"] == 0, "all flights have landed")
    assert descriptors(service) <= before + 16  # connections to the PCS are kept for a while
    assert service.get(f"{V4}/tcb?fmspc=00906EA10000").status == 200
    simulator.control("reset")
