# SPDX-License-Identifier: BSD-3-Clause
"""Instances and database servers are killed in turn under load: nothing acknowledged is lost.

Clients register and read through three instances, and go to the next one where one is gone. None
may ever see anything but 200 or 503.
"""
import concurrent.futures
import itertools
import json
import random
import signal
import threading
import time

import pytest

from clients import USER, pckcert_path, register, registration
from database_server import KINDS, DatabaseServer, missing
from fleet import Fleet, Visitor, on_all
from harness import TDX, V4, Simulator

LOAD_SECONDS = 12
REGISTRARS, READERS = 3, 2
PLATFORMS = 400
NO_PPID = "0" * 768  # with it the PCS is never asked: what is lost is 404

pytestmark = pytest.mark.skipif(any(map(missing, KINDS)), reason="needs both servers")


class Siege:
    """One kind of server under three instances."""

    def __init__(self, kind, folder):
        self.kind = kind
        self.folder = folder
        self.ends = threading.Event()
        self.chance = random.Random(f"{kind} 20251122")
        self.registered = []
        self.reads = 0
        self.kills = {"instance": 0, "server": 0}

    def run(self):
        with DatabaseServer(self.kind) as self.server, \
                Simulator(self.folder / "simulator", "--generate", str(PLATFORMS),
                          "--generate-fmspcs", "4") as self.simulator:
            generated = [p for p in self.simulator.fleet() if p["name"].startswith("gen-")]
            first = {platform["fmspc"]: platform for platform in generated}
            self.platforms = (p for p in generated if p is not first[p["fmspc"]])
            with Fleet(self.folder / "fleet", self.server, {
                    **self.simulator.configuration(), "CachingFillMode": "LAZY",
                    "LogLevel": "warn"}) as self.fleet:
                # What all need is there, so that a dead one's claims on it do not keep all waiting.
                for platform in first.values():
                    assert register(self.fleet[0], platform).status == 200
                self.besiege()
                self.judge()
        return self

    def besiege(self):
        visitors = [Visitor(self.fleet, n) for n in range(REGISTRARS + READERS)]
        work = [self.register] * REGISTRARS + [self.read] * READERS
        with concurrent.futures.ThreadPoolExecutor(len(work)) as pool:
            running = [pool.submit(call, visitor) for call, visitor in zip(work, visitors)]
            try:
                self.kill_for_a_while()
            finally:
                self.ends.set()
            for one in running:
                one.result()
        self.visitors = visitors
        for visitor in visitors:
            visitor.leave()

    def kill_for_a_while(self):
        until = time.monotonic() + LOAD_SECONDS
        for turn in itertools.cycle(("instance", "server", "instance", "instance")):
            self.wait_for_some()
            is_enough = self.kills["instance"] >= 3 and self.kills["server"] >= 2
            if time.monotonic() > until and is_enough:
                return
            self.kills[turn] += 1
            if turn == "server":
                self.server.kill()
                time.sleep(self.chance.uniform(0, 0.5))  # for how long it is away
                self.server.start()
            else:
                victim = self.chance.choice(self.fleet.services)
                victim.stop(signal.SIGKILL)
                time.sleep(self.chance.uniform(0, 0.3))
                victim.start_again()

    def wait_for_some(self):
        """Or for a while: a platform that a dead instance had claimed is nobody's until then."""
        enough = len(self.registered) + self.chance.randint(3, 12)
        until = time.monotonic() + 2
        while len(self.registered) < enough and time.monotonic() < until:
            time.sleep(0.01)

    # ---- clients ----

    def register(self, visitor):
        for platform in self.platforms:
            if self.ends.is_set():
                return
            taken = visitor.until_taken("POST", f"{V4}/platforms",
                                        json.dumps(registration(platform)), USER,
                                        self.ends.is_set)
            if taken is not None:
                self.registered.append(platform)

    def read(self, visitor):
        """What was acknowledged by one is asked of whichever comes next."""
        while not self.ends.is_set():
            known = self.registered
            paths = [f"{V4}/qe/identity", f"{V4}/rootcacrl", f"{V4}/pckcrl?ca=platform"]
            if known:
                platform = self.chance.choice(known)
                paths += [pckcert_path(platform, NO_PPID), f"{V4}/tcb?fmspc={platform['fmspc']}"]
            for path in paths:
                answer = visitor.try_once("GET", path)
                self.reads += answer is not None and answer.status == 200

    # ---- the end ----

    def judge(self):
        for visitor in self.visitors:
            assert visitor.odd == []
        asked = self.simulator.stats()["total"]
        self.simulator.control("fault", endpoint="*", kind="drop")
        fmspcs = {platform["fmspc"] for platform in self.registered}
        for path in [*(f"{V4}/tcb?fmspc={fmspc}" for fmspc in sorted(fmspcs)),
                     f"{V4}/qe/identity", f"{TDX}/qe/identity", f"{V4}/rootcacrl",
                     f"{V4}/pckcrl?ca=processor", f"{V4}/pckcrl?ca=platform"]:
            answer = self.fleet.asked_by_all(path)
            assert answer.status == 200, (path, answer)
        for platform in self.registered:
            answer = self.fleet.asked_by_all(pckcert_path(platform, NO_PPID))
            assert answer.status == 200, (platform["name"], answer)
            assert answer.header("SGX-TCBm") == platform["expected_tcbm"], platform["name"]
        assert self.simulator.stats()["total"] == asked
        halves = self.server.query(
            "SELECT count(*) FROM platforms p WHERE NOT EXISTS (SELECT 1 FROM pck_cert c WHERE "
            "c.qe_id = p.qe_id) OR NOT EXISTS (SELECT 1 FROM platform_tcbs t WHERE "
            "t.qe_id = p.qe_id AND t.tcbm <> '')", self.fleet.database)
        assert halves == [("0",)], "a registration was stored by half"

    def figures(self):
        return {"registered": len(self.registered), "reads": self.reads, **self.kills,
                "refused": sum(visitor.refused for visitor in self.visitors),
                "broken": sum(visitor.broken for visitor in self.visitors)}


def test_nothing_acknowledged_is_lost_whoever_is_killed(tmp_path):
    for siege in on_all(Siege.run, [Siege(kind, tmp_path / kind) for kind in KINDS]):
        print(f"\n{siege.kind}: {siege.figures()}")
