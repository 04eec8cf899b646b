#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""A data centre without a way to Intel: ./dev demo --offline

Platforms register with pccsd in OFFLINE mode; the administrator carries files between it and a side
that reaches the (simulated) PCS: get, fetch, put. Then the same for machines without any network,
by CSV files and collect; then the revocation lists alone. Every answer that a client gets at the
end is judged with the openssl command. Exits 0 if all was as promised, else 1.
"""
import contextlib
import functools
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import demo
from demo import BUILD, TDX, V4, NotAsPromised, Stage, heading, paint, promise, say
from witness import Witness

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "sgx_stub"))
from fake_platform import FakeEfivars, stub_arguments, stub_environment  # noqa: E402

WITH_NETWORK = ("client-1", "e5-double", "tdx-single")
WITHOUT_NETWORK = ("tdx-double", "e3-1")


class Island(Stage):
    """Three places: the service's side, the connected side, and the machines."""

    def __init__(self, folder):
        super().__init__(folder)
        self.island = folder / "island"
        self.connected = folder / "connected"
        for place in (self.island, self.connected):
            place.mkdir()

    def run(self, place, shown, command, environment=None, expected=0):
        """Shows a command and what it says, as on a terminal."""
        say()
        say(paint("2", f"   {place.name}$ ") + shown)
        kept = {name: value for name, value in os.environ.items()
                if not name.startswith(("PCCS_", "PCS_", "SGX_STUB_"))}
        done = subprocess.run([str(word) for word in command], cwd=place,
                              env={**kept, **(environment or {})}, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=120)
        for line in (done.stdout + done.stderr).splitlines():
            if "Intel's root key is replaced" not in line:  # said once, at the start
                say("     " + line)
        promise(done.returncode == expected, f"{shown} ended with {done.returncode}")
        return done

    def admin(self, place, *arguments, expected=0):
        """pccsadmin: towards the service with token and CA, towards the PCS with its root."""
        url = self.service.url.replace("127.0.0.1", "localhost")
        command = arguments[0]
        there = {"get": ["-u", f"{url}{V4}/platforms"],
                 "put": ["-u", f"{url}{V4}/platformcollateral"]}
        more, environment = [], {}
        if command in there:
            more = [*there[command], "--ca", self.ca]
            environment = {"PCCS_ADMIN_TOKEN": self.tokens["admin"]}
        elif command == "fetch":
            more = ["-u", f"{self.simulator.url}{V4}/"]
        if command in ("fetch", "verify"):
            environment = {"PCCS_TRUST_ANCHORS": str(self.folder / "pcs-sim-state" / "root.pem")}
        program = BUILD / "src" / "pccsadmin" / "pccsadmin"
        return self.run(place, " ".join(["pccsadmin", *arguments]),
                        [program, *arguments, *more], environment, expected)

    def carry(self, name, source, target):
        shutil.copy(source / name, target / name)
        size = (target / name).stat().st_size
        say(paint("2", f"   carried: {name}, {size:,} bytes, {source.name} -> {target.name}"))

    def machine(self, platform, *arguments):
        """PCKIDRetrievalTool on a machine that is made of files: EFI variables and a stub of the
        SGX runtime, which answers as this platform."""
        place = self.folder / platform["name"]
        place.mkdir(exist_ok=True)
        efivars = FakeEfivars(place / "efivars")
        if platform["platform_manifest"]:  # single-package firmware has no such variables
            efivars.offer(platform["platform_manifest"])
        environment = {**stub_environment(platform), "PCCS_USER_TOKEN": self.tokens["user"]}
        tool = BUILD / "src" / "pckid" / "PCKIDRetrievalTool"
        hidden = [*stub_arguments(BUILD, efivars.folder), "--state", place / "state"]
        self.run(place, " ".join(["PCKIDRetrievalTool", *map(str, arguments)]),
                 [tool, *hidden, *arguments], environment)
        return place


# ---- what a client asks at the end ----

def pckcert_path(platform):
    return (f"{V4}/pckcert?qeid={platform['qe_id']}&encrypted_ppid={'0' * 768}"
            f"&cpusvn={platform['cpu_svn']}&pcesvn={platform['pce_svn']}"
            f"&pceid={platform['pce_id']}")


def ask_row(stage, name, path, judge):
    answer = stage.ask("GET", path)
    promise(answer.status == 200, f"{path[:90]} was answered {answer.status}")
    until = judge(answer)
    say(f"   {name:34}{paint('32', '200 proven by openssl')}  until {until}")


def ask_everything(stage, witness, platforms):
    signed = witness.verify_signed_json
    for platform in platforms:
        ask_row(stage, f"PCK certificate of {platform['name']}", pckcert_path(platform),
                functools.partial(witness.verify_pck, platform=platform))
    tcb = functools.partial(signed, member="tcbInfo", header="TCB-Info-Issuer-Chain")
    for fmspc in dict.fromkeys(platform["fmspc"] for platform in platforms):
        ask_row(stage, f"TCB info SGX {fmspc}", f"{V4}/tcb?fmspc={fmspc}", tcb)
    for fmspc in dict.fromkeys(one["fmspc"] for one in platforms if one["tdx"]):
        ask_row(stage, f"TCB info TDX {fmspc}", f"{TDX}/tcb?fmspc={fmspc}", tcb)
    identity = functools.partial(signed, member="enclaveIdentity",
                                 header="SGX-Enclave-Identity-Issuer-Chain")
    for name, base, what in (("QE", V4, "qe"), ("QvE", V4, "qve"), ("TD QE", TDX, "qe")):
        ask_row(stage, f"identity of the {name}", f"{base}/{what}/identity", identity)
    ask_crls(stage, witness)


def ask_crls(stage, witness):
    for ca in ("processor", "platform"):
        ask_row(stage, f"PCK CRL of the {ca} CA", f"{V4}/pckcrl?ca={ca}",
                functools.partial(witness.verify_pck_crl, encoding="hex"))
    ask_row(stage, "root CA CRL", f"{V4}/rootcacrl",
            lambda answer: witness.verify_crl(bytes.fromhex(answer.body.decode()), witness.root))


# ---- the scenes ----

def scene_start(stage):
    heading(1, "Start: two sides that no cable joins")
    stage.start_simulator()
    stage.start_service(CachingFillMode="OFFLINE")
    say(f"   island     pccsd {stage.service.url}, OFFLINE mode: it asks nobody")
    say(f"   connected  pcs-sim {stage.simulator.url}, Intel's PCS for this hour; its root stands "
        "in for Intel's")
    fleet = json.loads(stage.simulator_get("/sim/fleet"))
    return Witness(stage.simulator_get("/sim/root.pem")), {one["name"]: one for one in fleet}


def scene_register(stage, fleet):
    heading(2, "Machines of the island register, each by its own PCKIDRetrievalTool")
    url = stage.service.url.replace("127.0.0.1", "localhost")
    for name in WITH_NETWORK:
        stage.machine(fleet[name], "-url", url, "--ca", stage.ca, "--quiet")
        answer = stage.ask("GET", pckcert_path(fleet[name]))
        promise(answer.status == 461, f"{name} has a certificate before anything was fetched")
    say()
    say("   A client that asks now gets 461: the platform is not in the cache.")


def scene_round_trip(stage, witness, fleet):
    heading(3, "The file goes out, and comes back: get, fetch, put")
    stage.admin(stage.island, "get")
    stage.carry("platform_list.json", stage.island, stage.connected)
    stage.admin(stage.connected, "fetch")
    stage.admin(stage.connected, "verify", "--quiet")
    stage.carry("platform_collaterals.json", stage.connected, stage.island)
    stage.admin(stage.island, "put")
    say()
    ask_everything(stage, witness, [fleet[name] for name in WITH_NETWORK])


def scene_csv(stage, witness, fleet):
    heading(4, "Machines without any network: CSV files, collect, fetch, put")
    folder = stage.connected / "csv"
    folder.mkdir()
    for name in WITHOUT_NETWORK:
        place = stage.machine(fleet[name], "-f", f"{name}.csv", "--quiet")
        shutil.copy(place / f"{name}.csv", folder)
    say(paint("2", "   carried: both CSV files -> connected/csv"))
    lost = {**fleet["e5-gaps-double"], "platform_manifest": ""}
    line = ",".join(lost[name].lower() for name in ("enc_ppid", "pce_id", "cpu_svn", "pce_svn",
                                                    "qe_id"))
    (folder / "forgotten.csv").write_text(line)
    say("   ... and a third, forgotten.csv, of a multi-package server whose manifest was lost")
    stage.admin(stage.connected, "collect", "-d", "csv", "-o", "list2.json")
    stage.admin(stage.connected, "fetch", "-i", "list2.json", "-o", "collaterals2.json", expected=1)
    promise((stage.connected / "failed_platforms.json").exists(), "the failed one is not listed")
    say("   (exit status 1, and yet the other machines are served:)")
    stage.carry("collaterals2.json", stage.connected, stage.island)
    stage.admin(stage.island, "put", "-i", "collaterals2.json")
    say()
    for name in WITHOUT_NETWORK:
        ask_row(stage, f"PCK certificate of {name}", pckcert_path(fleet[name]),
                functools.partial(witness.verify_pck, platform=fleet[name]))


def scene_crls(stage, witness):
    heading(5, "A certificate is revoked; only the revocation lists make the journey: fetch -c")
    before = stage.ask("GET", f"{V4}/pckcrl?ca=platform").body
    connection = demo.http.client.HTTPConnection("127.0.0.1", stage.simulator.port, timeout=20)
    with contextlib.closing(connection):
        order = {"action": "revoke", "what": "platform", "platform": "e5-single"}
        connection.request("POST", "/sim/control", json.dumps(order))
        promise(connection.getresponse().status == 200, "the simulator did not revoke")
    stage.admin(stage.connected, "fetch", "-c", "-o", "crls.json")
    stage.carry("crls.json", stage.connected, stage.island)
    stage.admin(stage.island, "put", "-i", "crls.json")
    say()
    ask_crls(stage, witness)
    after = stage.ask("GET", f"{V4}/pckcrl?ca=platform").body
    promise(after != before and len(after) > len(before), "the PCK CRL is still the old one")
    say(f"   The Platform CA's list has grown by {(len(after) - len(before)) // 2} bytes.")


def play(stage):
    started = time.monotonic()
    say("An air gap, and what is carried over it. All of this happens now, on this machine.")
    witness, fleet = scene_start(stage)
    with contextlib.closing(witness):
        scene_register(stage, fleet)
        scene_round_trip(stage, witness, fleet)
        scene_csv(stage, witness, fleet)
        scene_crls(stage, witness)
    say()
    say(paint("1;32", "All as promised") + f", in {time.monotonic() - started:.1f} s.")


def main():
    if len(sys.argv) > 1:
        print("usage: ./dev demo --offline", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    stage = Island(pathlib.Path(tempfile.mkdtemp(prefix="pccs-demo-")))
    try:
        play(stage)
    except (NotAsPromised, demo.Refuted) as fault:
        say()
        say(paint("1;31", "Not as promised: ") + str(fault))
        return 1
    except KeyboardInterrupt:
        say()
        return 1
    finally:
        stage.stop()
        shutil.rmtree(stage.folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
