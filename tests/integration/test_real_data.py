# SPDX-License-Identifier: BSD-3-Clause
"""Collateral that Intel signed in 2025, by file, at a time when it was fresh; and its quote.

The files lie outside this repository (../shared/data beside it); where they are absent, this says
so and tests nothing.
"""
import contextlib
import json
import urllib.parse

import pytest

from clients import PEM, Witness, upload
from harness import ROOT, V3, V4, Service

DATA = ROOT.parent / "shared" / "data"
FILE = DATA / "platform_collaterals_sgx_2025.json"
QUOTE = DATA / "quote_sgx_2025.bin"
AT = "2025-07-01T00:00:00Z"
FMSPC = "00A067110000"
TCBM = "0B0B0202FF01000000000000000000000D00"

pytestmark = pytest.mark.skipif(not (FILE.exists() and QUOTE.exists()),
                                reason=f"{FILE} and {QUOTE} are not here")


@pytest.fixture(scope="module")
def collaterals():
    return json.loads(FILE.read_text())


@pytest.fixture(scope="module")
def service(tmp_path_factory, collaterals):
    with Service(tmp_path_factory.mktemp("real"), environment={"PCCS_TEST_TIME_AT": AT}) as running:
        answer = upload(running, FILE.read_bytes())
        assert answer.status == 200, answer
        yield running


@pytest.fixture(scope="module")
def witness(collaterals):
    chain = collaterals["collaterals"]["certificates"]["TCB-Info-Issuer-Chain"]
    root = PEM.findall(urllib.parse.unquote_to_bytes(chain))[-1]
    with contextlib.closing(Witness(root)) as judge:
        yield judge


def pckcert(service, collaterals):
    row = collaterals["platforms"][0]
    return service.get(f"{V4}/pckcert?qeid={row['qe_id']}&encrypted_ppid={'0' * 768}"
                       f"&cpusvn={row['cpu_svn']}&pcesvn={row['pce_svn']}&pceid={row['pce_id']}")


def test_the_anchor_is_intels(service):
    ready = service.get("/healthz/ready").json()
    assert ready["trust_anchor"] == "intel" and "warning" not in ready


def test_the_quotes_chain_is_what_pckcert_serves(service, collaterals):
    answer = pckcert(service, collaterals)
    assert answer.status == 200 and answer.header("SGX-TCBm") == TCBM
    assert answer.header("SGX-FMSPC") == FMSPC
    leaf, *chain = PEM.findall(QUOTE.read_bytes().replace(b"\0", b"\n"))
    assert answer.body == leaf
    served = PEM.findall(urllib.parse.unquote_to_bytes(
        answer.header("SGX-PCK-Certificate-Issuer-Chain")))
    assert served == chain


def test_everything_is_served_fresh_and_verifies(service, witness, collaterals):
    tcb = service.get(f"{V4}/tcb?fmspc={FMSPC}")
    identity = service.get(f"{V4}/qe/identity")
    crl = service.get(f"{V4}/pckcrl?ca=processor&encoding=der")
    root = service.get(f"{V4}/rootcacrl")
    for answer in (tcb, identity, crl, root):
        assert answer.status == 200 and answer.header("Warning") is None, answer
    assert witness.verify_signed_json(tcb, "tcbInfo", "TCB-Info-Issuer-Chain") == "2025-07-19"
    assert witness.verify_signed_json(identity, "enclaveIdentity",
                                      "SGX-Enclave-Identity-Issuer-Chain") == "2025-07-19"
    assert witness.verify_pck_crl(crl, "der")
    assert witness.verify_crl(bytes.fromhex(root.text), witness.root)
    platform = {"expected_tcbm": TCBM, "fmspc": FMSPC, "ca": "PROCESSOR"}
    assert witness.verify_pck(pckcert(service, collaterals), platform)


def test_it_is_stale_today_and_says_so(service, collaterals):
    assert service.stop() == 0
    service.environment = {}
    service.start_again()
    for path in (f"{V4}/tcb?fmspc={FMSPC}", f"{V4}/qe/identity", f"{V4}/rootcacrl"):
        answer = service.get(path)
        assert answer.status == 200 and answer.header("Warning").startswith("110 "), path
    assert pckcert(service, collaterals).status == 200
    assert len(service.request("GET", f"{V3}/rootcacrl").all("Warning")) == 2


@pytest.mark.parametrize("member", ["sgx_tcbinfo", "qeidentity", "rootcacrl", "cert"])
def test_one_changed_bit_is_460(tmp_path, collaterals, member):
    text = FILE.read_text()
    at = {"sgx_tcbinfo": text.index('"pcesvn": 13', text.index("sgx_tcbinfo")) + 11,
          "qeidentity": text.index("isvsvn", text.index("qeidentity")) + 10,
          "rootcacrl": text.index('"rootcacrl": "') + 300,
          "cert": text.index("-----BEGIN%20CERTIFICATE-----%0A") + 400}[member]
    at = next(i for i in range(at, len(text)) if text[i].isdigit())
    changed = text[:at] + str((int(text[at]) + 1) % 10) + text[at + 1:]
    with Service(tmp_path, environment={"PCCS_TEST_TIME_AT": AT}) as running:
        assert upload(running, changed).status in (400, 460)
        assert pckcert(running, collaterals).status == 461
