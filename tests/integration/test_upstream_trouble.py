# SPDX-License-Identifier: BSD-3-Clause
"""The PCS refuses, hurries nobody, talks nonsense, stops in the middle, or is not there at all."""
import contextlib
import socket
import threading
import time

import pytest

from clients import pckcert_path, register, rows_of, together
from harness import V4, Service

CLIENT = "00906EA10000"
TCB = f"{V4}/tcb?fmspc={CLIENT}&update=standard"
STALE = '110 - "Response is Stale"'


@pytest.fixture(autouse=True)
def fresh_simulator(simulator):
    simulator.control("reset")
    simulator.control("reset-stats")


@pytest.fixture
def lazy(start_service, simulator):
    return lambda **more: start_service(
        {**simulator.configuration(), "CachingFillMode": "LAZY", **more})


def assert_nothing_of_the_pcs(answer):
    """What QCNL would mix into its next answer must not be there."""
    assert answer.body == b""
    assert not [key for key, _ in answer.headers if key.lower().startswith(("sgx-", "tcb-"))]


def test_429_is_told_with_its_retry_after_and_not_asked_again_at_once(lazy, simulator):
    service = lazy()
    simulator.control("fault", endpoint="tcb-sgx", kind="status", status=429, retry_after=17)
    answers = [service.get(TCB) for _ in range(5)]
    for answer in answers:
        assert answer.status == 503 and 1 <= int(answer.header("Retry-After")) <= 17, answer
        assert_nothing_of_the_pcs(answer)
    assert "429" in answers[0].header("PCCS-Error-Detail")
    assert simulator.count("tcb-sgx") == 1


def test_429_is_waited_for_as_long_as_it_says_and_nobody_sees_it(lazy, simulator):
    service = lazy(UpstreamRetries=2)
    simulator.control("fault", endpoint="tcb-sgx", kind="status", status=429, retry_after=2,
                      count=1)
    started = time.monotonic()
    assert service.get(TCB).status == 200
    assert 2 <= time.monotonic() - started < 4
    assert simulator.count("tcb-sgx") == 2


@pytest.mark.parametrize("fault, status", [
    ({"kind": "status", "status": 500}, 503),
    ({"kind": "status", "status": 503}, 503),
    ({"kind": "drop"}, 503),
    ({"kind": "truncate"}, 503),
    ({"kind": "garbage"}, 502),
    ({"kind": "empty"}, 502),
    ({"kind": "huge"}, 502),
    ({"kind": "missing-header"}, 502),
    ({"kind": "mismatch"}, 502),
    ({"kind": "tamper"}, 502),
    ({"kind": "wrong-signer"}, 502),
    ({"kind": "redirect-other"}, 502),
], ids=str)
def test_trouble_at_a_miss_stores_nothing_and_spares_hits(lazy, simulator, fault, status):
    service = lazy()
    kept = f"{V4}/tcb?fmspc=20906ED50000"
    assert service.get(kept).status == 200
    rows = rows_of(service, "fmspc_tcbs")
    simulator.control("fault", endpoint="tcb-sgx", **fault)
    answer = service.get(TCB)
    assert answer.status == status, answer
    assert answer.header("PCCS-Error-Detail")
    if fault["kind"] in ("garbage", "mismatch", "tamper", "wrong-signer"):
        assert "status 200, Request-ID " in answer.header("PCCS-Error-Detail")
    if status == 503:
        assert_nothing_of_the_pcs(answer)
    assert rows_of(service, "fmspc_tcbs") == rows
    assert service.get(kept).status == 200
    simulator.control("clear")
    if status == 502:  # not remembered; what ends in 503 is, for five seconds
        assert service.get(TCB).status == 200


@pytest.mark.parametrize("kind", ["drop", "status", "garbage", "tamper"])
def test_what_has_expired_is_served_as_stale_meanwhile(tmp_path, simulator, kind):
    month = {"PCCS_TEST_TIME_OFFSET": str(40 * 86400)}
    configuration = {**simulator.configuration(), "CachingFillMode": "LAZY"}
    with Service(tmp_path, configuration) as service:
        before = service.get(TCB)
        assert before.status == 200 and before.header("Warning") is None
        assert service.stop() == 0
        service.environment = month
        simulator.control("time-shift", seconds=40 * 86400)
        simulator.control("fault", endpoint="tcb-sgx", kind=kind)
        service.start_again()
        answer = service.get(TCB)
        assert (answer.status, answer.body) == (200, before.body)
        assert answer.header("Warning") == STALE and "no-cache" in answer.header("Cache-Control")
        assert answer.header("TCB-Info-Issuer-Chain") == before.header("TCB-Info-Issuer-Chain")


def test_a_pcs_that_hangs_ends_in_503_in_time_and_holds_up_nobody_else(lazy, simulator, fleet):
    service = lazy(UpstreamTimeoutSeconds=2, UpstreamConcurrency=2)
    assert service.get(TCB).status == 200
    assert register(service, fleet[0]).status == 200
    simulator.control("fault", endpoint="tcb-sgx", kind="delay", delay_ms=60000)
    paths = [f"{V4}/tcb?fmspc={CLIENT}&tcbEvaluationDataNumber={17 + number % 2}" for number in
             range(8)]

    def hang(number):
        started = time.monotonic()
        return service.get(paths[number]).status, time.monotonic() - started

    def others(_):
        worst = 0
        for _ in range(50):
            started = time.monotonic()
            assert service.get(TCB).status == 200
            assert service.get(pckcert_path(fleet[0])).status == 200
            worst = max(worst, time.monotonic() - started)
        return worst

    results = together(9, lambda number: hang(number) if number < 8 else others(number))
    for status, seconds in results[:8]:
        assert status == 503 and seconds < 5
    assert results[8] < 1, "a hit waited for the PCS"


def test_nobody_listens_where_the_pcs_should_be(start_service, simulator):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    service = start_service({**simulator.configuration(), "CachingFillMode": "LAZY",
                             "uri": f"http://127.0.0.1:{port}{V4}/"})
    started = time.monotonic()
    answer = service.get(TCB)
    assert answer.status == 503 and int(answer.header("Retry-After")) >= 1
    assert_nothing_of_the_pcs(answer)
    assert time.monotonic() - started < 5
    service.wait_for_log("upstream-failed")


@contextlib.contextmanager
def server_that_says(words):
    """A listener that answers whatever comes with these bytes, and closes (or not)."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        def run():
            with contextlib.suppress(OSError):
                while True:
                    peer, _ = listener.accept()
                    with peer, contextlib.suppress(OSError):
                        peer.recv(65536)
                        for part in words():
                            peer.sendall(part)
        threading.Thread(target=run, daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize("words", [
    lambda: [b"SSH-2.0-OpenSSH_9.2\r\n"],
    lambda: [b"\0" * 1000],
    lambda: [b"HTTP/1.1 200 OK\r\nContent-Ty"],
    lambda: (b"HTTP/1.1 200 OK\r\n" if n == 0 else b"X-%d: %s\r\n" % (n, b"y" * 1000)
             for n in range(100000)),
    lambda: [b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n{}"],
    lambda: [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"],
    lambda: (b"HTTP/1.1 200 OK\r\n\r\n" if n == 0 else b"{" * 65536 for n in range(1000)),
    lambda: [b"HTTP/1.1 999 What\r\nContent-Length: 0\r\n\r\n"],
], ids=["ssh", "zeros", "half-a-head", "endless-head", "absurd-length", "bad-chunk", "endless-body",
        "status-999"])
def test_nonsense_instead_of_http_is_an_error_and_nothing_worse(start_service, simulator, words):
    with server_that_says(words) as port:
        service = start_service({**simulator.configuration(), "CachingFillMode": "LAZY",
                                 "uri": f"http://127.0.0.1:{port}{V4}/",
                                 "UpstreamTimeoutSeconds": 3})
        answer = service.get(TCB)
        assert answer.status in (502, 503), answer
        assert answer.header("PCCS-Error-Detail")
        assert rows_of(service, "fmspc_tcbs") == 0
        assert service.get("/healthz/live").status == 200
