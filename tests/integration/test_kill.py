# SPDX-License-Identifier: BSD-3-Clause
"""kill -9 under a stream of registrations and uploads: whatever was acknowledged is there."""
import contextlib
import http.client
import json
import random
import signal
import sqlite3
import threading

import pytest

from clients import (ADMIN, JSON, USER, Administrator, pckcert_path, queue, registration,
                     synthetic_platform, wait_until)
from harness import V4, Simulator

ROUNDS = 10
REGISTRARS = 3
FILES = 150  # more than ten rounds can upload


class Stream:
    """Threads that register and upload until the service is gone, and remember what it took."""

    def __init__(self, service, files, numbers):
        self.service = service
        self.files = files
        self.numbers = numbers
        self.registered = []
        self.uploaded = []
        self.odd = []
        self.threads = [threading.Thread(target=self.register) for _ in range(REGISTRARS)]
        self.threads.append(threading.Thread(target=self.upload))
        for thread in self.threads:
            thread.start()

    def send(self, connection, method, path, body, headers, taken, what):
        try:
            answer = self.service.request(method, path, body, headers, connection)
        except (OSError, http.client.HTTPException):
            return False
        if answer.status != 200:
            self.odd.append(answer)
            return False
        taken.append(what)
        return True

    def register(self):
        with contextlib.closing(self.service.connect()) as connection:
            while True:
                platform = synthetic_platform(next(self.numbers))
                if not self.send(connection, "POST", f"{V4}/platforms",
                                 json.dumps(registration(platform)), USER, self.registered,
                                 platform["qe_id"]):
                    return

    def upload(self):
        with contextlib.closing(self.service.connect()) as connection:
            while self.files:
                platform, text = self.files.pop()
                if not self.send(connection, "PUT", f"{V4}/platformcollateral", text,
                                 {**ADMIN, **JSON}, self.uploaded,
                                 platform):
                    return

    def join(self):
        for thread in self.threads:
            thread.join(30)
            assert not thread.is_alive()


@pytest.fixture
def generated(tmp_path):
    with Simulator(tmp_path / "many", "--generate", str(FILES), "--generate-fmspcs", "4") as many:
        yield many


def test_ten_times_kill_9_loses_nothing_that_was_acknowledged(generated, start_service):
    administrator = Administrator(generated)
    platforms = [p for p in generated.fleet() if p["name"].startswith("gen-")]
    files = [(platform, json.dumps(administrator.file([platform]))) for platform in platforms]
    numbers = iter(range(10 ** 9))
    chance = random.Random(20251122)
    registered, uploaded = set(), []
    service = start_service({**generated.configuration(), "LogLevel": "error"})
    for round_number in range(ROUNDS):
        stream = Stream(service, files, numbers)
        enough = chance.randint(10, 80)
        wait_until(lambda: len(stream.registered) >= enough and (
            stream.uploaded or not files), "enough has been acknowledged")
        assert service.stop(signal.SIGKILL) == -signal.SIGKILL
        stream.join()
        assert stream.odd == []
        registered.update(stream.registered)
        uploaded += stream.uploaded
        service.start_again()
        waiting = {row["qe_id"] for row in queue(service)}
        assert registered <= waiting, f"round {round_number}: {len(registered - waiting)} lost"
        with contextlib.closing(service.connect()) as connection:
            for platform in uploaded:
                answer = service.request("GET", pckcert_path(platform), connection=connection)
                assert answer.status == 200, (round_number, platform["name"], answer)
                assert answer.header("SGX-TCBm") == platform["expected_tcbm"]
    assert len(registered) > 10 * ROUNDS and len(uploaded) >= ROUNDS
    assert service.stop() == 0
    with contextlib.closing(sqlite3.connect(service.folder / "pckcache.db")) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        halves = database.execute(
            "SELECT count(*) FROM platforms p WHERE NOT EXISTS (SELECT 1 FROM pck_cert c WHERE "
            "c.qe_id = p.qe_id) OR NOT EXISTS (SELECT 1 FROM platform_tcbs t WHERE "
            "t.qe_id = p.qe_id AND t.tcbm <> '')").fetchone()[0]
        assert halves == 0, "an upload was stored by half"
    service.start_again()
