#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The whole service in one minute: ./dev demo [--keep]

Starts pcs-sim (a stand-in for Intel's PCS) and pccsd in a temporary folder, asks everything that
clients ask, twice, and judges each answer with the openssl command. Then the PCS goes away, then it
comes back as a forger. Exits 0 if all was as promised, else 1 after one sentence that says what was
not. --keep leaves both programs running and says how to use and how to stop them.
"""
import argparse
import contextlib
import dataclasses
import functools
import hashlib
import http.client
import json
import os
import pathlib
import secrets
import shutil
import signal
import ssl
import statistics
import subprocess
import sys
import tempfile
import textwrap
import time

from witness import NEVER, Refuted, Witness

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("PCCS_BUILD_DIR", ROOT / "build"))
V4 = "/sgx/certification/v4"
TDX = "/tdx/certification/v4"
START_SECONDS = 20
OK_TEXT = "Operation successful."


class NotAsPromised(Exception):
    pass


def promise(condition, sentence):
    if not condition:
        raise NotAsPromised(sentence)


# ---- words on the terminal ----

COLOURS = sys.stdout.isatty() and "NO_COLOR" not in os.environ


def paint(code, text):
    return f"\033[{code}m{text}\033[0m" if COLOURS else text


def say(text=""):
    print(text, flush=True)


def heading(number, text):
    say()
    say(paint("1", f"{number}  {text}"))


def wrapped(text, lead="   "):
    return textwrap.fill(text, 98, initial_indent=lead, subsequent_indent="     ",
                         break_long_words=False, break_on_hyphens=False)


# ---- the two programs ----

class Program:
    """A child with its output in files; ready once it has printed where it listens."""

    def __init__(self, folder, name, arguments):
        self.name = name
        self.out = folder / f"{name}.out"
        self.log = folder / f"{name}.log"
        path = BUILD / "src" / {"pcs-sim": "pcssim"}.get(name, name) / name
        promise(path.exists(), f"{path} is not there; ./dev build makes it")
        environment = {key: value for key, value in os.environ.items()
                       if not key.startswith("PCCS_") and key != "NODE_ENV"}
        with self.out.open("wb") as out, self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [str(path), *map(str, arguments)], cwd=folder, env=environment,
                stdin=subprocess.DEVNULL, stdout=out, stderr=log, start_new_session=True)
        try:
            self.url = self._wait()
        except NotAsPromised:
            self.stop()
            raise

    def _wait(self):
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            for line in self.out.read_text().splitlines(keepends=True):
                if " ready on " in line and line.endswith("\n"):
                    return line.split(" ready on ")[1].strip()
            time.sleep(0.01)
        last = (self.log.read_text().strip().splitlines() or ["it said nothing"])[-1]
        raise NotAsPromised(f"{self.name} did not start: {last}")

    @property
    def port(self):
        return int(self.url.rpartition(":")[2])

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        return self.process.returncode


class Answer:
    def __init__(self, reply, started):
        self.body = reply.read()
        self.ms = (time.perf_counter() - started) * 1000
        self.status = reply.status
        self.headers = reply.getheaders()

    def header(self, name):
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)


@dataclasses.dataclass
class Told:
    """What curl tells of an answer."""

    status: int
    ms: float


class Stage:
    """The temporary folder, the programs in it, and how to ask them."""

    def __init__(self, folder):
        self.folder = folder
        self.tokens = {name: secrets.token_urlsafe(18) for name in ("user", "admin")}
        self.simulator = self.service = None
        self.tls = None

    def start_simulator(self, *arguments):
        port = self.simulator.port if self.simulator else 0
        self.simulator = Program(self.folder, "pcs-sim",
                                 ["--state", self.folder / "pcs-sim-state", "--port", port,
                                  *arguments])

    def configure(self, **changes):
        digest = {name: hashlib.sha512(token.encode()).hexdigest()
                  for name, token in self.tokens.items()}
        configuration = {
            "HTTPS_PORT": self.service.port if self.service else 0,
            "uri": f"{self.simulator.url}{V4}/",
            "TrustAnchors": [str(self.folder / "pcs-sim-state" / "root.pem")],
            "CachingFillMode": "LAZY",
            "UserTokenHash": digest["user"],
            "AdminTokenHash": digest["admin"],
            "RefreshSchedule": "0 0 1 1 1 *",  # not in the middle of the demonstration
            "UpstreamRetries": 1,
            "LogFile": "-",
            **changes,
        }
        path = self.folder / "config" / "default.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(configuration, indent=2) + "\n")
        return path

    def start_service(self, **changes):
        path = self.configure(**changes)
        if not (self.folder / "ssl_key").exists():
            made = subprocess.run([str(BUILD / "src/pccsd/pccsd"), "-c", str(path), "--init-tls"],
                                  cwd=self.folder, capture_output=True, text=True, timeout=30)
            promise(made.returncode == 0, f"pccsd --init-tls: {made.stderr.strip()}")
            self.tls = ssl.create_default_context(cafile=str(self.ca))
        self.service = Program(self.folder, "pccsd", ["-c", path])

    @property
    def ca(self):
        return self.folder / "ssl_key" / "ca.crt"

    def ask(self, method, path, body=None, headers=None):
        """One connection for each question, as Intel's client does it: the TLS handshake counts."""
        connection = http.client.HTTPSConnection("127.0.0.1", self.service.port, timeout=20,
                                                 context=self.tls)
        with contextlib.closing(connection):
            started = time.perf_counter()
            connection.request(method, path, body, headers or {})
            return Answer(connection.getresponse(), started)

    def simulator_get(self, path):
        connection = http.client.HTTPConnection("127.0.0.1", self.simulator.port, timeout=20)
        with contextlib.closing(connection):
            connection.request("GET", path)
            return connection.getresponse().read()

    def asked_upstream(self):
        return json.loads(self.simulator_get("/sim/stats"))["total"]

    def stop(self):
        for program in (self.service, self.simulator):
            if program is not None:
                program.stop()


# ---- what is asked ----

@dataclasses.dataclass
class Question:
    """One question, how to judge its answer, and what the answers were."""

    group: str
    path: str
    judge: object  # Answer -> "YYYY-MM-DD", NEVER, or Refuted
    first: Answer = None
    second: Answer = None
    upstream: list = dataclasses.field(default_factory=list)  # requests to the PCS: first, second
    until: str = ""


def judge_plain(_):
    return NEVER  # Intel does not sign the list of FMSPCs


def collateral_questions(fleet, witness, cdp):
    """Everything that verifiers ask, one of each kind and FMSPC."""
    signed = witness.verify_signed_json
    families = {platform["fmspc"]: platform for platform in fleet}
    tcb = functools.partial(signed, member="tcbInfo", header="TCB-Info-Issuer-Chain")
    identity = functools.partial(signed, member="enclaveIdentity",
                                 header="SGX-Enclave-Identity-Issuer-Chain")
    numbers = functools.partial(signed, member="tcbEvaluationDataNumbers",
                                header="TCB-Evaluation-Data-Numbers-Issuer-Chain")
    root = lambda answer, der: witness.verify_crl(
        answer.body if der else bytes.fromhex(answer.body.decode()), witness.root)

    for update in ("standard", "early"):
        for base, name in ((V4, "SGX"), (TDX, "TDX")):
            for fmspc, family in families.items():
                if (update == "early" and not family["early"]) or (base == TDX and
                                                                   not family["tdx"]):
                    continue
                yield Question(f"TCB info {name}, {update}",
                               f"{base}/tcb?fmspc={fmspc}&update={update}", tcb)
    for base, name, what in ((V4, "QE", "qe"), (V4, "QvE", "qve"), (TDX, "TD QE", "qe"),
                             (V4, "QAE", "qae")):
        for update in ("standard", "early"):
            yield Question(f"identity of the {name}", f"{base}/{what}/identity?update={update}",
                           identity)
    for ca in ("processor", "platform"):
        for encoding in ("hex", "der", "pem"):
            query = "" if encoding == "hex" else f"&encoding={encoding}"
            yield Question("PCK CRLs: hex, DER, PEM", f"{V4}/pckcrl?ca={ca}{query}",
                           functools.partial(witness.verify_pck_crl, encoding=encoding))
    yield Question("root CA CRL, by name and by URI", f"{V4}/rootcacrl",
                   functools.partial(root, der=False))
    yield Question("root CA CRL, by name and by URI", f"{V4}/crl?uri={cdp}",
                   functools.partial(root, der=True))
    for base in (V4, TDX):
        yield Question("TCB evaluation data numbers", f"{base}/tcbevaluationdatanumbers", numbers)
    for fmspc in list(families)[:2]:
        yield Question("TCB info by evaluation number",
                       f"{V4}/tcb?fmspc={fmspc}&tcbEvaluationDataNumber=17", tcb)
    yield Question("list of FMSPCs", f"{V4}/fmspcs", judge_plain)


def pckcert_question(platform, witness):
    ppid = "0" * 768 if platform["platform_manifest"] else platform["enc_ppid"].upper()
    return Question(platform["name"],
                    f"{V4}/pckcert?qeid={platform['qe_id']}&encrypted_ppid={ppid}"
                    f"&cpusvn={platform['cpu_svn']}&pcesvn={platform['pce_svn']}"
                    f"&pceid={platform['pce_id']}",
                    functools.partial(witness.verify_pck, platform=platform))


def registration(platform):
    """The body that PCKIDRetrievalTool sends."""
    names = ("enc_ppid", "pce_id", "cpu_svn", "pce_svn", "qe_id", "platform_manifest")
    return {name: platform[name].upper() for name in names}


def ask_counted(stage, ask):
    before = stage.asked_upstream()
    answer = ask()
    return answer, stage.asked_upstream() - before


def settle(question):
    """Judges both answers of a question."""
    for answer in (question.first, question.second):
        promise(answer.status == 200, f"{question.path[:90]} was answered {answer.status}")
    promise(question.upstream[1] == 0, f"{question.path[:90]}: the second time went to the PCS too")
    judge_again(question, question.second)


def judge_again(question, answer):
    try:
        question.until = question.judge(answer)
    except Refuted as refuted:
        raise NotAsPromised(f"{question.path[:90]}: {refuted}") from None


# ---- the table ----

ROW = "   {:32}{:>5}  {:23}{:23}{:10}{}"
FLEET_ROW = "   {:16}{:9}{:14}{:23}{:23}{:7}{}"


def spell(answers, requests):
    """'200 PCS x7    2.1 ms': what was answered, requests to the PCS, the median time."""
    source = "cache" if requests == 0 else f"PCS x{requests}"
    median = statistics.median(answer.ms for answer in answers)
    return f"{answers[0].status} {source:7}{median:6.1f} ms"


def table_row(name, questions):
    dates = sorted(question.until for question in questions)
    proven = f"{len(questions)} of {len(questions)}" if dates[0] != NEVER else "unsigned"
    first, second = ([getattr(question, turn) for question in questions]
                     for turn in ("first", "second"))
    say(ROW.format(name, len(questions),
                   spell(first, sum(question.upstream[0] for question in questions)),
                   spell(second, sum(question.upstream[1] for question in questions)),
                   paint("32", f"{proven:10}"), dates[0]).rstrip())


# ---- the five scenes ----

def scene_start(stage):
    heading(1, "Start")
    stage.start_simulator()
    stage.start_service()
    say(f"   pcs-sim  {stage.simulator.url:25} stands in for Intel's PCS, with a PKI of its own")
    say(f"   pccsd    {stage.service.url:25} LAZY mode, SQLite, fresh TLS key and tokens")
    root = stage.simulator_get("/sim/root.pem")
    fleet = json.loads(stage.simulator_get("/sim/fleet"))
    say(f"   fleet    {len(fleet)} platforms of {len({p['fmspc'] for p in fleet})} FMSPCs, two PCK "
        "CAs, SGX and TDX, one to eight packages")
    return Witness(root), fleet


def scene_collateral(stage, witness, fleet):
    heading(2, "A verifier asks for everything, twice. Nothing is cached yet.")
    cdp = f"{stage.simulator.url}/IntelSGXRootCA.der"
    questions = list(collateral_questions(fleet, witness, cdp))
    for question in questions:
        for turn in ("first", "second"):
            answer, requests = ask_counted(stage, lambda: stage.ask("GET", question.path))
            setattr(question, turn, answer)
            question.upstream.append(requests)
        settle(question)
    promise(sum(q.upstream[0] for q in questions) > 0, "nothing was asked of the PCS")
    say(paint("2", ROW.format("what", "asked", "first time", "second time", "verified",
                              "fresh until")))
    for group in dict.fromkeys(question.group for question in questions):
        members = [question for question in questions if question.group == group]
        table_row(group, members)
    say(wrapped("PCS x7: the simulator counted seven requests; cache: none. Times: the median that "
                "a client sees, TLS handshake included. Verified: the openssl command proved "
                "signature, chain and root of every answer.", "   "))
    return questions


def register_by_curl(stage, platform):
    """The first registration is the very command that is shown."""
    body = stage.folder / "platform.json"
    body.write_text(json.dumps(registration(platform)))
    command = ["curl", "--silent", "--show-error", "--cacert", str(stage.ca),
               "--header", f"user-token: {stage.tokens['user']}",
               "--header", "Content-Type: application/json", "--data", f"@{body}",
               "--write-out", "\n%{http_code} %{time_total}", f"{stage.service.url}{V4}/platforms"]
    say(f"   $ cat {body.name}")
    shown = {name: value if len(value) < 40 else value[:6] + "..."
             for name, value in registration(platform).items()}
    say(wrapped(json.dumps(shown), "     "))
    say(f"   $ curl --cacert ssl_key/ca.crt -H 'user-token: {stage.tokens['user']}' \\")
    say(f"       -H 'Content-Type: application/json' -d @{body.name} \\")
    say(f"       {stage.service.url}{V4}/platforms")
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    text, _, figures = done.stdout.rpartition("\n")
    say(f"   {text}{done.stderr}")
    promise(done.returncode == 0 and text == OK_TEXT, f"curl did not register {platform['name']}")
    status, seconds = figures.split()
    return Told(int(status), float(seconds) * 1000)


def register(stage, platform):
    return stage.ask("POST", f"{V4}/platforms", json.dumps(registration(platform)),
                     {"Content-Type": "application/json", "user-token": stage.tokens["user"]})


def scene_fleet(stage, witness, fleet):
    heading(3, "The fleet registers, then each platform asks for its PCK certificate.")
    questions = []
    for platform in fleet:
        enrol = register if questions else register_by_curl
        question = pckcert_question(platform, witness)
        question.first, requests = ask_counted(stage, lambda: enrol(stage, platform))
        question.second, again = ask_counted(stage, lambda: stage.ask("GET", question.path))
        question.upstream = [requests, again]
        if not questions:
            say()
            say(paint("2", FLEET_ROW.format("platform", "packages", "FMSPC", "registration",
                                            "pckcert", "TCBm", "valid until")))
        fleet_row(platform, question)
        if question.first.status == 200:
            questions.append(question)
    return questions


def fleet_row(platform, question):
    tail = ("none", "too old a TCB")
    if platform["expected_tcbm"] == "":
        promise(question.first.status == question.second.status == 404,
                f"{platform['name']} fits no certificate, yet got {question.second.status}")
    else:
        settle(question)
        tail = (paint("32", "right  "), question.until)
    say(FLEET_ROW.format(platform["name"], "several" if platform["platform_manifest"] else "one",
                         platform["fmspc"], spell([question.first], question.upstream[0]),
                         spell([question.second], question.upstream[1]), *tail))


def ask_all_again(stage, questions):
    times = []
    for question in questions:
        answer = stage.ask("GET", question.path)
        promise(answer.status == 200, f"{question.path[:90]} was answered {answer.status}")
        promise(answer.body == question.second.body, f"{question.path[:90]} changed its bytes")
        times.append(answer.ms)
    return f"{len(times)} of {len(times)} answered, same bytes, {statistics.median(times):.1f} ms"


def scene_away(stage, questions):
    heading(4, "The PCS goes away.")
    promise(stage.simulator.stop() == 0, "pcs-sim did not end with 0")
    say(f"   pcs-sim stopped, everything asked again:   {ask_all_again(stage, questions)}")
    promise(stage.service.stop() == 0, "pccsd did not end with 0")
    stage.start_service(CachingFillMode="OFFLINE")
    say(f"   pccsd stopped, started in OFFLINE mode:    {ask_all_again(stage, questions)}")
    say("   (read back from the database, and every row proven again before it is served)")
    promise(stage.service.stop() == 0, "pccsd did not end with 0")
    stage.start_service()


def log_line(stage, event, start):
    text = stage.service.log.read_text()[start:]
    return next((line for line in text.splitlines() if f" {event} " in line), None)


def scene_forger(stage, questions):
    heading(5, "The PCS comes back, and somebody in between flips one bit of every SGX TCB info.")
    stage.start_simulator("--fail", "tcb-sgx:tamper")
    start = len(stage.service.log.read_text())
    kept = next(question for question in questions if "/tcb?fmspc=" in question.path)
    fmspc = kept.path.partition("fmspc=")[2][:12]
    path = f"{V4}/tcb?fmspc={fmspc}&tcbEvaluationDataNumber=18"
    answer, requests = ask_counted(stage, lambda: stage.ask("GET", path))
    promise(answer.status == 502 and requests > 0, f"a forged answer became {answer.status}")
    detail = answer.header("PCCS-Error-Detail")
    promise(detail, "the refusal has no PCCS-Error-Detail")
    say(f"   GET {path}")
    say(paint("31", f"   {answer.status}") + " and nothing is stored. The reason, in the answer's "
        "header and in the log:")
    say(wrapped(f"PCCS-Error-Detail: {detail}"))
    line = log_line(stage, "collateral-unproven", start)
    promise(line, "the log has no line collateral-unproven")
    say(wrapped(line))
    answer = stage.ask("POST", f"{V4}/refresh", "", {"admin-token": stage.tokens["admin"]})
    promise(answer.status == 503, f"refresh of forged collateral was answered {answer.status}")
    say("   POST refresh")
    say(paint("31", "   503") + f" {answer.header('PCCS-Error-Detail')}")
    answer = stage.ask("GET", kept.path)
    promise(answer.status == 200 and answer.body == kept.second.body, "the cached one did not stay")
    judge_again(kept, answer)
    say(f"   GET {kept.path}")
    say(paint("32", "   200") + " the same bytes as before, proven by openssl, fresh until "
        f"{kept.until}")


# ---- the end ----

QCNL = """{{
  "pccs_url": "{url}{v4}/",
  // true once ca.crt stands in the system's bundle of CAs
  "use_secure_cert": false,
  "pccs_api_version": "3.1",
  "tcb_update_type": "standard",
  "retry_times": 6,
  "retry_delay": 10,
  "pck_cache_expire_hours": 168,
  "verify_collateral_cache_expire_hours": 168
}}
"""


def say_how_to_use(stage):
    stage.simulator.stop()
    stage.start_simulator()
    conf = stage.folder / "sgx_default_qcnl.conf"
    url = stage.service.url.replace("127.0.0.1", "localhost")
    conf.write_text(QCNL.format(url=url, v4=V4))
    heading(6, "Left running, as you wished")
    for name, value in (("pccsd", url), ("dashboard", url + "/"),
                        ("user-token", stage.tokens["user"]),
                        ("admin-token", stage.tokens["admin"]), ("its CA", stage.ca),
                        ("its log", stage.service.log), ("pcs-sim", stage.simulator.url),
                        ("QCNL", f"export QCNL_CONF_PATH={conf}")):
        say(f"   {name:13}{value}")
    say()
    say(textwrap.indent(conf.read_text(), "   ").rstrip())
    say()
    say("   Only the simulated fleet has certificates here; real machines need Intel's own PCS.")
    say(f"   To stop: kill {stage.service.process.pid} {stage.simulator.process.pid}; "
        f"rm -r {stage.folder}")


def play(stage, keep):
    started = time.monotonic()
    say("A PCCS in front of a simulated Intel PCS. All of this happens now, on this machine.")
    witness, fleet = scene_start(stage)
    with contextlib.closing(witness):
        questions = scene_collateral(stage, witness, fleet)
        questions += scene_fleet(stage, witness, fleet)
        scene_away(stage, questions)
        scene_forger(stage, questions)
    if keep:
        say_how_to_use(stage)
    say()
    say(paint("1;32", "All as promised") + f", in {time.monotonic() - started:.1f} s.")


def main():
    parser = argparse.ArgumentParser(prog="./dev demo", description=__doc__.split("\n")[0])
    parser.add_argument("--keep", action="store_true",
                        help="leave both programs running and say how to use and stop them")
    keep = parser.parse_args().keep
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    stage = Stage(pathlib.Path(tempfile.mkdtemp(prefix="pccs-demo-")))
    left_running = False
    try:
        play(stage, keep)
        left_running = keep
    except NotAsPromised as fault:
        say()
        say(paint("1;31", "Not as promised: ") + str(fault))
        return 1
    except KeyboardInterrupt:
        say()
        return 1
    finally:
        if not left_running:
            stage.stop()
            shutil.rmtree(stage.folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
