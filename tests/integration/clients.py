# SPDX-License-Identifier: BSD-3-Clause
"""What clients send: registrations, QCNL's questions, the administrator's file."""
import concurrent.futures
import contextlib
import copy
import json
import pathlib
import sqlite3
import sys
import time

from harness import ADMIN_TOKEN, TDX, USER_TOKEN, V3, V4

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "demo"))
from witness import PEM, Witness  # noqa: E402  the demonstration's judge judges here too

OK = "Operation successful."
JSON = {"Content-Type": "application/json"}
USER = {**JSON, "user-token": USER_TOKEN}
ADMIN = {"admin-token": ADMIN_TOKEN}
CHAINS = {
    "tcb": "TCB-Info-Issuer-Chain",
    "identity": "SGX-Enclave-Identity-Issuer-Chain",
    "pckcrl": "SGX-PCK-CRL-Issuer-Chain",
    "pck": "SGX-PCK-Certificate-Issuer-Chain",
}


def pckcert_path(platform, ppid=None, base=V4, cpu_svn=None):
    """The question that QCNL asks; the encrypted PPID as given, else the platform's own."""
    ppid = platform["enc_ppid"] if ppid is None else ppid
    return (f"{base}/pckcert?qeid={platform['qe_id']}&encrypted_ppid={ppid.upper()}"
            f"&cpusvn={cpu_svn or platform['cpu_svn']}&pcesvn={platform['pce_svn']}"
            f"&pceid={platform['pce_id']}")


def registration(platform, **changes):
    names = ("enc_ppid", "pce_id", "cpu_svn", "pce_svn", "qe_id", "platform_manifest")
    return {**{name: platform[name].upper() for name in names}, **changes}


def register(service, platform, query="", **changes):
    return service.post_json(f"{V4}/platforms{query}", registration(platform, **changes))


def synthetic_platform(number):
    """A platform that no PCS knows, for the queue."""
    return {"enc_ppid": f"{number:0768x}".upper(), "pce_id": "0000", "pce_svn": "0D00",
            "cpu_svn": f"{number:032x}".upper(), "qe_id": f"{number:032x}".upper(),
            "platform_manifest": ""}


def queue(service, query="?source=reg&peek=1"):
    answer = service.admin_get(f"{V4}/platforms{query}")
    assert answer.status == 200, answer
    return answer.json()


def upload(service, file, base=V4):
    return service.put_json(f"{base}/platformcollateral", file)


class Administrator:
    """Fetches from the simulator what pccsadmin fetch would, and writes the collaterals file."""

    def __init__(self, simulator, version=4):
        self.simulator = simulator
        self.version = version
        self.sgx = V4 if version == 4 else V3

    def get(self, path):
        answer = self.simulator.request("GET", path)
        assert answer.status in (200, 404), (path, answer)
        return answer

    def platform(self, platform):
        """(an entry of pck_certs, its CA, its chain)."""
        if platform["platform_manifest"]:
            body = json.dumps({"platformManifest": platform["platform_manifest"],
                               "pceid": platform["pce_id"]})
            answer = self.simulator.request("POST", f"{V4}/pckcerts", body, JSON)
        else:
            answer = self.get(f"{V4}/pckcerts?encrypted_ppid={platform['enc_ppid']}"
                              f"&pceid={platform['pce_id']}")
        assert answer.status == 200, answer
        certificates = [entry for entry in answer.json() if entry["cert"] != "Not available"]
        entry = {"qe_id": platform["qe_id"], "pce_id": platform["pce_id"],
                 "enc_ppid": platform["enc_ppid"],
                 "platform_manifest": platform["platform_manifest"], "certs": certificates}
        return (entry, answer.header("SGX-PCK-Certificate-CA-Type").upper(),
                answer.header(CHAINS["pck"]))

    def tcb_infos(self, fmspc):
        found = {"fmspc": fmspc}
        kinds = [("standard", "", "sgx_tcbinfo" if self.version == 4 else "tcbinfo"),
                 ("early", "", "sgx_tcbinfo_early" if self.version == 4 else "tcbinfo_early")]
        if self.version == 4:
            kinds += [("standard", "tdx", "tdx_tcbinfo"), ("early", "tdx", "tdx_tcbinfo_early")]
        for update, product, name in kinds:
            answer = self.get(f"{TDX if product else self.sgx}/tcb?fmspc={fmspc}&update={update}")
            if answer.status == 200:
                found[name] = answer.json()
                self.tcb_chain = (answer.header("TCB-Info-Issuer-Chain")
                                  or answer.header("SGX-TCB-Info-Issuer-Chain"))
        return found

    def file(self, platforms):
        """The whole platform_collaterals.json for these platforms."""
        pck_certs, pck_chains = [], {}
        for platform in platforms:
            entry, ca, chain = self.platform(platform)
            pck_certs.append(entry)
            pck_chains[ca] = chain
        tcb_infos = [self.tcb_infos(fmspc)
                     for fmspc in dict.fromkeys(platform["fmspc"] for platform in platforms)]
        crls = {ca: self.get(f"{V4}/pckcrl?ca={ca}&encoding=der")
                for ca in ("processor", "platform")}
        for ca, answer in crls.items():
            pck_chains.setdefault(ca.upper(), answer.header(CHAINS["pckcrl"]))
        collaterals = {
            "version": self.version, "pck_certs": pck_certs, "tcbinfos": tcb_infos,
            "pckcacrl": {f"{ca}Crl": answer.body.hex() for ca, answer in crls.items()},
        }
        identity_chain = ""
        for name, base, what in (("qeidentity", self.sgx, "qe"), ("tdqeidentity", TDX, "qe"),
                                 ("qveidentity", self.sgx, "qve")):
            if self.version == 3 and name == "tdqeidentity":
                continue
            answer = self.get(f"{base}/{what}/identity")
            collaterals[name] = answer.text
            identity_chain = answer.header(CHAINS["identity"])
        tcb_name = CHAINS["tcb"] if self.version == 4 else "SGX-TCB-Info-Issuer-Chain"
        collaterals["certificates"] = {CHAINS["pck"]: pck_chains, tcb_name: self.tcb_chain,
                                       CHAINS["identity"]: identity_chain}
        collaterals["rootcacrl"] = self.get("/IntelSGXRootCA.der").body.hex()
        collaterals["rootcacrl_cdp"] = f"http://127.0.0.1:{self.simulator.port}/IntelSGXRootCA.der"
        rows = [{name: platform[name] for name in
                 ("enc_ppid", "platform_manifest", "qe_id", "pce_id", "cpu_svn", "pce_svn")}
                for platform in platforms]
        return {"platforms": rows, "collaterals": collaterals}


def changed(file, change):
    """A copy of a collaterals file after change(collaterals)."""
    copied = copy.deepcopy(file)
    change(copied["collaterals"])
    return copied


def rows_of(service, table):
    """How many rows a table of the service's database has."""
    with contextlib.closing(sqlite3.connect(service.folder / "pckcache.db")) as database:
        return database.execute(f"SELECT count(*) FROM {table}").fetchone()[0]


def together(count, ask):
    """Calls ask(number) on so many threads at once; the results in order."""
    with concurrent.futures.ThreadPoolExecutor(count) as pool:
        return list(pool.map(ask, range(count)))


def wait_until(condition, what, seconds=20):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds} s in vain until {what}"
        time.sleep(0.02)
