# SPDX-License-Identifier: BSD-3-Clause
"""./dev bench: what an answer, a connection, a platform cost, beside nginx serving the same bytes.

The server (pccsd, then nginx) has one core for itself, the client and pcs-sim another. Every figure
is the median of several runs; processor time is what the clock of the process says. Prints a table
and leaves it, with all single figures, in build/bench/. Ends with 1 if a target is missed.
"""
import argparse
import contextlib
import json
import os
import pathlib
import resource
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "integration"))

import database  # noqa: E402
import nginx  # noqa: E402
import stores  # noqa: E402
from clients import ADMIN, pckcert_path  # noqa: E402
from harness import BUILD, ROOT, TDX, V4, Service, Simulator  # noqa: E402

LOAD = BUILD / "tests" / "bench" / "load"
CORES = sorted(os.sched_getaffinity(0))
SERVER_CORE, CLIENT_CORE = CORES[-1], CORES[0]
PATH_PCK = "{V4}/pckcert?qeid=%n&cpusvn={cpu_svn}&pcesvn={pce_svn}&pceid={pce_id}"


class Table:
    """The rows as they come in, and where they go at the end."""

    def __init__(self):
        self.rows = []

    def add(self, name, value, unit, target=None, detail=None, at_least=False):
        met = target is None or (value >= target if at_least else value <= target)
        self.rows.append({"name": name, "value": value, "unit": unit, "target": target, "met": met,
                          "detail": detail})
        print(self.line(self.rows[-1]), flush=True)

    @staticmethod
    def line(row):
        target = "" if row["target"] is None else f"{row['target']:g}"
        met = "" if row["target"] is None else ("met" if row["met"] else "NOT MET")
        return f"{row['name']:58} {row['value']:>10.6g} {row['unit']:10} {target:>8} {met}".rstrip()

    def save(self, folder, facts):
        folder.mkdir(parents=True, exist_ok=True)
        name = time.strftime("bench-%Y%m%d-%H%M%S")
        lines = [f"{key}: {value}" for key, value in facts.items()] + [""]
        lines += [self.line(row) for row in self.rows]
        (folder / f"{name}.txt").write_text("\n".join(lines) + "\n")
        (folder / f"{name}.json").write_text(
            json.dumps({"facts": facts, "rows": self.rows}, indent=1))
        return folder / f"{name}.txt"


@contextlib.contextmanager
def on_core(core):
    """Children started here inherit the core, and see only that one."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextlib.contextmanager
def running(program):
    """A server on its core."""
    with on_core(SERVER_CORE):
        program.__enter__()
    try:
        yield program
    finally:
        program.__exit__(None, None, None)


def pid_of(server):
    return server.program.process.pid if isinstance(server, Service) else server.pid


def start_load(mode, server, *options):
    with on_core(CLIENT_CORE):
        return subprocess.Popen(
            [str(LOAD), mode, "--port", str(server.port), "--cpu-of", str(pid_of(server)),
             *map(str, options)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def load(mode, server, *options):
    child = start_load(mode, server, *options)
    text = child.communicate()[0]
    result = json.loads(text)
    assert result["errors"] == 0 and set(result["statuses"]) == {"200"}, text
    return result


def load_turn(mode, server, path):
    """A short turn; a longer one if others had the machine and not one answer came."""
    for seconds in (0.4, 2, 10):
        text = start_load(mode, server, "--path", path, "--seconds", seconds, "--warm-up", 0.2,
                          "--connections", 32).communicate()[0]
        result = json.loads(text)
        assert result["errors"] == 0 and set(result["statuses"]) <= {"200"}, text
        if result["requests"] > 0:
            return result
    raise AssertionError(f"no answer within {seconds} s: {text}")


def resident_mb(server):
    text = pathlib.Path(f"/proc/{pid_of(server)}/status").read_text()
    line = next(line for line in text.splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) / 1024


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Bench:
    def __init__(self, folder, quick):
        self.folder = folder
        self.quick = quick
        self.table = Table()
        self.runs = 3 if quick else 7
        self.turns = 15 if quick else 45
        self.seconds = 1.5 if quick else 4
        self.base = folder / "base"

    # ---- what everything else starts from: one platform and its collateral, by the real way ----

    def make_base(self):
        with on_core(CLIENT_CORE), Simulator(self.folder / "sim") as simulator:
            self.platform = next(p for p in simulator.fleet() if p["name"] == "client-1")
            self.tcb = f"{V4}/tcb?fmspc={self.platform['fmspc']}"
            self.upstream = simulator.configuration()
            with Service(self.base, {**self.upstream, "CachingFillMode": "LAZY"}) as service:
                for path in (pckcert_path(self.platform), self.tcb, f"{V4}/qe/identity",
                             f"{V4}/qve/identity", f"{TDX}/qe/identity", f"{V4}/rootcacrl",
                             f"{V4}/pckcrl?ca=processor", f"{V4}/pckcrl?ca=platform"):
                    answer = service.get(path)
                    assert answer.status == 200, (path, answer)

    def copy(self, name, platforms=1, **configuration):
        """A service over a copy of the base's database, grown to so many platforms."""
        folder = self.folder / name
        shutil.copytree(self.base, folder)
        service = Service(folder, {**self.upstream, "CachingFillMode": "OFFLINE",
                                   "LogLevel": "info", "LogFile": "pccs.log", **configuration})
        service.make_tls()
        if platforms > 1:
            database.multiply(folder / "pckcache.db", self.platform["qe_id"], platforms)
        return service

    def pck_path(self):
        return PATH_PCK.format(V4=V4, **self.platform)

    # ---- (a), (b): processor time per request ----

    def measure_against_nginx(self):
        service = self.copy("hits")
        with running(service):
            answer = service.get(self.tcb)
            assert answer.status == 200, answer
            yardstick = nginx.Nginx(self.folder / "nginx", self.tcb.partition("?")[0], answer,
                                    service.folder / "ssl_key", (free_port(), free_port()))
            with running(yardstick):
                for mode, name, target in (
                    ("keepalive", "keep-alive GET", 0.7),
                    ("handshake", "GET with a TLS 1.3 handshake", 0.85),
                ):
                    self.compare(mode, name, target, service, yardstick)
            self.idle_memory(service)

    def compare(self, mode, name, target, service, yardstick):
        servers = {"pccsd": service, "nginx": yardstick, "nginx, tuned": yardstick.tuned}
        figures = {word: [] for word in servers}
        results = []
        # In short turns, each compared within itself: a shared machine changes its pace, sometimes
        # by half, from one second to the next.
        for _ in range(self.turns):
            for word, server in servers.items():
                result = load_turn(mode, server, self.tcb)
                figures[word].append(result["cpu_us"] / result["requests"])
                results.append({"server": word, **result})
        for word in servers:
            self.table.add(f"{name}, {word}", statistics.median(figures[word]), "us CPU",
                           detail=results if word == "pccsd" else None)
        for word, wanted in (("nginx", target), ("nginx, tuned", None)):
            ratios = [a / b for a, b in zip(figures["pccsd"], figures[word])]
            self.table.add(f"{name}, pccsd / {word}", statistics.median(ratios), "ratio", wanted,
                           ratios)

    # ---- (c): memory ----

    def idle_memory(self, used_service):
        service = self.copy("idle")
        with running(service):
            time.sleep(3)  # timers and counters have had their turn
            self.table.add("resident memory, idle", resident_mb(service), "MB", 12)
            client = start_load("once", service, "--path", self.tcb, "--connections", 1000,
                                "--hold")
            result = json.loads(client.stdout.readline())
            assert result["statuses"] == {"200": 1000}, result
            time.sleep(1)
            self.table.add("resident memory, 1,000 idle TLS connections", resident_mb(service),
                           "MB", 40)
            client.communicate("\n")

    # ---- (d): start ----

    def measure_start(self, platforms, target_ms):
        service = self.copy(f"start-{platforms}", platforms)
        figures = []
        for _ in range(self.runs):
            started = time.monotonic()
            with running(service):
                with contextlib.closing(service.connect()) as connection:
                    connection.request("GET", self.tcb)
                    assert connection.getresponse().status == 200
                figures.append((time.monotonic() - started) * 1000)
        self.table.add(f"from exec to the first answer, {platforms:,} platforms",
                       statistics.median(figures), "ms", target_ms, figures)
        shutil.rmtree(service.folder)

    # ---- (e): a storm of misses ----

    def measure_storm(self):
        with on_core(CLIENT_CORE), Simulator(self.folder / "storm-sim") as simulator:
            service = Service(self.folder / "storm", {
                **simulator.configuration(), "CachingFillMode": "LAZY", "LogLevel": "info"})
            with running(service):
                simulator.control("reset-stats")
                simulator.control("fault", endpoint="tcb-sgx", kind="delay", delay_ms=300)
                result = load("once", service, "--path", self.tcb, "--connections", 1000)
                asked = simulator.count("tcb-sgx")
        self.table.add("requests to the PCS for 1,000 concurrent misses of one key", asked, "",
                       1, result)
        self.table.add("the last of them answered after (300 ms of it the PCS)",
                       result["max_us"] / 1000, "ms")

    # ---- (f): a million platforms ----

    def measure_million(self):
        platforms = 100_000 if self.quick else 1_000_000
        started = time.monotonic()
        service = self.copy("million", platforms)
        filled = time.monotonic() - started
        with running(service):
            results = [
                load("keepalive", service, "--path", self.pck_path(), "--range", platforms,
                     "--seconds", self.seconds * 2, "--connections", 32)
                for _ in range(self.runs)
            ]
            per_second = [r["requests"] / r["seconds"] for r in results]
            size = (service.folder / "pckcache.db").stat().st_size / 1e9
            self.table.add(f"look-ups of random platforms of {platforms:,} ({size:.1f} GB)",
                           statistics.median(per_second), "per s", detail=results)
            self.table.add(f"resident memory then, {platforms:,} platforms", resident_mb(service),
                           "MB", 150, {"filling_seconds": filled})
        shutil.rmtree(service.folder)

    # ---- (g): refresh ----

    def measure_refresh(self):
        platforms, fmspcs = (1000 if self.quick else 10_000), 20
        with on_core(CLIENT_CORE), Simulator(
                self.folder / "refresh-sim", "--generate", platforms, "--generate-fmspcs", fmspcs,
        ) as simulator:
            fleet = [p for p in simulator.fleet() if p["name"].startswith("gen-")]
            service = Service(self.folder / "refresh", {
                **simulator.configuration(), "CachingFillMode": "LAZY", "LogLevel": "warn",
                "LazyNewPlatformsPerMinute": 0})
            with running(service):
                self.fill(service, fleet)
                simulator.control("reset-stats")
                simulator.control("fault", endpoint="*", kind="delay", delay_ms=20)
                self.refresh_under_load(service, simulator, len(fleet), fleet[0]["fmspc"])

    def fill(self, service, fleet):
        paths = self.folder / "paths"
        paths.write_text("".join(pckcert_path(p) + "\n" for p in fleet))
        load("keepalive", service, "--paths", paths, "--requests", len(fleet),
             "--connections", 16)

    def refresh_under_load(self, service, simulator, platforms, fmspc):
        hit = f"{V4}/tcb?fmspc={fmspc}"
        calm = load("keepalive", service, "--path", hit, "--connections", 4, "--seconds", 2)
        took = []

        def refresh():
            started = time.monotonic()
            with contextlib.closing(service.connect(timeout=600)) as connection:
                answer = service.request("POST", f"{V4}/refresh?type=certs&fmspc=all",
                                         headers=ADMIN, connection=connection)
            took.append((time.monotonic() - started, answer.status))

        worker = threading.Thread(target=refresh)
        worker.start()
        during = []
        while worker.is_alive():
            during.append(load("keepalive", service, "--path", hit, "--connections", 4,
                               "--seconds", 1, "--warm-up", 0))
        worker.join()
        seconds, status = took[0]
        assert status == 200, status
        endpoints = simulator.stats()["endpoints"]
        most = max(count for counts in endpoints.values() for count in counts["keys"].values())
        asked = {word: counts["count"] for word, counts in endpoints.items()}
        self.table.add(f"refresh of {platforms:,} platforms, PCS 20 ms away", seconds, "s",
                       detail=asked)
        self.table.add("most requests to the PCS for one item of it", most, "", 1)
        self.table.add("requests to the PCS in all, per platform",
                       sum(asked.values()) / platforms, "")
        self.table.add("p99 of hits meanwhile (4 connections without pause)",
                       statistics.median(r["p99_us"] for r in during) / 1000, "ms", detail=during)
        self.table.add("p99 of the same hits before", calm["p99_us"] / 1000, "ms")

    def run(self, only):
        parts = {
            "nginx": self.measure_against_nginx,
            "start": lambda: (self.measure_start(1000, 50), self.measure_start(100_000, 1000)),
            "storm": self.measure_storm,
            "million": self.measure_million,
            "refresh": self.measure_refresh,
            "stores": lambda: stores.measure(self),
        }
        self.make_base()
        for name, part in parts.items():
            if not only or name in only:
                part()


def machine():
    model = next((line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo")
                  if line.startswith("model name")), "unknown")
    return {
        "time": time.strftime("%Y-%m-%d %H:%M:%S"),
        "processor": model,
        "cores": len(CORES),
        "load": os.getloadavg()[0],
        "kernel": os.uname().release,
        "nginx": nginx.version(),
        "commit": subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT,
                                 capture_output=True, text=True).stdout.strip(),
    }


def main():
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="under two minutes, fewer runs")
    parser.add_argument("parts", nargs="*", help="nginx, start, storm, million, refresh, stores")
    options = parser.parse_args()
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    facts = machine()
    print("\n".join(f"{key}: {value}" for key, value in facts.items()), end="\n\n")
    print(f"{'':58} {'figure':>10} {'':10} {'target':>8}")
    with tempfile.TemporaryDirectory(prefix="pccs-bench-") as folder:
        bench = Bench(pathlib.Path(folder), options.quick)
        bench.run(options.parts)
    path = bench.table.save(ROOT / "build" / "bench", facts)
    missed = [row["name"] for row in bench.table.rows if not row["met"]]
    print(f"\nkept in {path.relative_to(ROOT)}; targets missed: {len(missed)}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
