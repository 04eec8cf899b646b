# SPDX-License-Identifier: BSD-3-Clause
"""Several pccsd in front of one database and one simulator: a Fleet of Services.

All have the same TLS files, so that a client trusts each of them. Instances may be killed and
started again one by one; a Visitor is a client that goes to another one then, and remembers every
answer that no client may see. Standard library only.
"""
import base64
import concurrent.futures
import contextlib
import http.client
import itertools
import json
import os
import pathlib
import shutil
import signal
import time

from harness import V4, Answer, Service

INSTANCES = 3
TLS_NAMES = ("private.pem", "file.crt", "ca.crt")
# What the others serve a second after a write; a machine that does much else may take longer.
WITHIN_SECONDS = 1.0
PATIENCE_SECONDS = 10
ACCEPTED = (200, 503)


def on_all(call, items):
    """Calls call(item) for all at once; the results in order."""
    with concurrent.futures.ThreadPoolExecutor(max(1, len(items))) as pool:
        return list(pool.map(call, items))


def policy(number):
    """An appraisal policy unlike those of other numbers."""
    payload = json.dumps({"policy_payload": json.dumps({"policy_array": [
        {"environment": {"class_id": "3123ec35-8d38-4ea5-87a5-d6c48b567570"}}],
        "number": number})})
    return "e30." + base64.urlsafe_b64encode(payload.encode()).decode().rstrip("=") + ".c2ln"


class Fleet:
    """A context manager; the database is the fleet's own unless one is given."""

    def __init__(self, folder, server, configuration, count=INSTANCES, database=None):
        self.folder = pathlib.Path(folder)
        self.server = server
        self.database = database or server.create_database()
        self.services = [
            Service(self.folder / f"instance{number}",
                    {**server.configuration(self.database), "Workers": 1, **configuration})
            for number in range(count)
        ]
        self.propagation = []  # seconds from an answered write to the others' answers

    def __enter__(self):
        self.services[0].make_tls()
        first = self.services[0].folder / "ssl_key"
        for service in self.services[1:]:
            (service.folder / "ssl_key").mkdir(parents=True, exist_ok=True)
            for name in TLS_NAMES:
                shutil.copy2(first / name, service.folder / "ssl_key" / name)
            service.tls = self.services[0].tls
        try:
            on_all(lambda service: service.__enter__(), self.services)
        except BaseException:
            self.kill_all()
            raise
        return self

    def __exit__(self, kind, *_):
        statuses = on_all(lambda service: service.stop() if alive(service) else None,
                          self.services)
        if kind is None:
            for service, status in zip(self.services, statuses):
                assert status in (0, None), f"exit status {status}: {service.log()}"

    def __getitem__(self, number):
        return self.services[number]

    def __len__(self):
        return len(self.services)

    def kill_all(self):
        for service in self.services:
            if hasattr(service, "program"):
                service.stop(signal.SIGKILL)

    def others(self, service):
        return [other for other in self.services if other is not service]

    def await_everywhere(self, condition, what, since, but=None):
        """Until condition(service) holds for all but one; since: when the write was answered."""
        def wait(service):
            deadline = since + PATIENCE_SECONDS
            while not condition(service):
                assert time.monotonic() < deadline, f"{service.folder.name} never served {what}"
                time.sleep(0.01)
            return time.monotonic() - since

        self.propagation += on_all(wait, self.others(but) if but else self.services)

    def settle(self):
        """Until all have heard of what all wrote so far: news of one come in the order of its
        writes. The second policy is served only where those of the first have been heard, for all
        have that one in memory, or had."""
        for service in self.services:
            self.tell_policy(service)
            self.tell_policy(service)

    def tell_policy(self, service):
        fmspc, text = "FFFFFFFFFFFF", policy(time.monotonic_ns())
        path = f"{V4}/appraisalpolicy?fmspc={fmspc}"
        answer = service.put_json(f"{V4}/appraisalpolicy", {
            "is_default": True, "fmspc": fmspc, "policy": text})
        assert answer.status == 200, answer
        self.await_everywhere(lambda other: other.get(path).text == text, "a policy",
                              time.monotonic())

    def asked_by_all(self, path):
        """The one answer that all give, each asked once."""
        answers = on_all(lambda service: service.get(path), self.services)
        assert len({(answer.status, answer.body) for answer in answers}) == 1, answers
        return answers[0]

    def logs(self):
        return "".join(service.log() for service in self.services)


def alive(service):
    return hasattr(service, "program") and service.program.process.poll() is None


def descriptors(service):
    return len(os.listdir(f"/proc/{service.program.process.pid}/fd"))


def ready(service):
    return service.get("/healthz/ready").status == 200


def connects_to(service, port):
    """Does the service hold a TCP connection to this port of loopback?"""
    inodes = set()
    folder = pathlib.Path(f"/proc/{service.program.process.pid}/fd")
    for link in folder.iterdir():
        with contextlib.suppress(OSError):
            inodes.add(os.readlink(link).removeprefix("socket:[").removesuffix("]"))
    remote = f"0100007F:{port:04X}"
    for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[2] == remote and fields[3] == "01" and fields[9] in inodes:
            return True
    return False


class Visitor:
    """A client of the whole fleet, on one thread: keeps a connection, and takes the next instance
    when one has gone or cannot answer now."""

    def __init__(self, fleet, first=0):
        self.fleet = fleet
        self.turn = itertools.cycle(range(len(fleet)))
        for _ in range(first % len(fleet)):
            next(self.turn)
        self.service = fleet[next(self.turn)]
        self.connection = None
        self.odd = []  # answers that nobody may get
        self.refused = 0  # answers 503
        self.broken = 0  # connections that ended

    def leave(self):
        if self.connection is not None:
            self.connection.close()
            self.connection = None
        self.service = self.fleet[next(self.turn)]

    def try_once(self, method, path, body=None, headers=None):
        """The answer, or None if the instance was gone."""
        try:
            if self.connection is None:
                self.connection = self.service.connect(timeout=60)
            self.connection.request(method, path, body, headers or {})
            reply = self.connection.getresponse()
            answer = Answer(reply.status, reply.getheaders(), reply.read())
        except (OSError, http.client.HTTPException):
            self.broken += 1
            self.leave()
            return None
        if answer.status not in ACCEPTED or (answer.status == 503
                                             and not answer.header("Retry-After")):
            self.odd.append((method, path, answer))
        return answer

    def until_taken(self, method, path, body=None, headers=None, ends=lambda: False):
        """Asks one after the other until one answers 200; None if it ended before."""
        while not ends():
            answer = self.try_once(method, path, body, headers)
            if answer is not None and answer.status == 200:
                return answer
            if answer is not None:
                self.refused += answer.status == 503
                self.leave()
            time.sleep(0.02)
        return None
