# SPDX-License-Identifier: BSD-3-Clause
"""The three modes from end to end: real service, real simulator, every answer proven by openssl."""
import contextlib

import pytest

from clients import OK, Administrator, Witness, pckcert_path, queue, register, upload
from harness import TDX, V4

TCB = f"{V4}/tcb?fmspc=00906EA10000&update=standard"


@pytest.fixture(scope="module")
def witness(simulator):
    with contextlib.closing(Witness(simulator.root.read_bytes())) as judge:
        yield judge


@pytest.fixture(autouse=True)
def fresh_simulator(simulator):
    simulator.control("reset")
    simulator.control("reset-stats")


@pytest.fixture
def in_mode(start_service, simulator):
    return lambda mode, **more: start_service(
        {**simulator.configuration(), "CachingFillMode": mode, **more})


def prove_verification_collateral(service, witness):
    """What QPL fetches for one quote, in its order."""
    ca = service.get(f"{V4}/pckcrl?ca=processor&encoding=der")
    assert witness.verify_pck_crl(ca, "der")
    tcb = service.get(TCB)
    assert witness.verify_signed_json(tcb, "tcbInfo", "TCB-Info-Issuer-Chain")
    for path in (f"{V4}/qe/identity", f"{V4}/qve/identity", f"{TDX}/qe/identity"):
        identity = service.get(f"{path}?update=standard")
        assert witness.verify_signed_json(identity, "enclaveIdentity",
                                          "SGX-Enclave-Identity-Issuer-Chain")
    root = service.get(f"{V4}/rootcacrl")
    assert witness.verify_crl(bytes.fromhex(root.text), witness.root)


# ---- LAZY ----

def test_lazy_serves_every_platform_without_a_registration(in_mode, fleet, simulator, witness):
    service = in_mode("LAZY")
    for platform in fleet:
        answer = service.get(pckcert_path(platform))
        if platform["platform_manifest"] or not platform["expected_tcbm"]:
            assert answer.status == 404, platform["name"]  # Intel knows it by its manifest only
        else:
            witness.verify_pck(answer, platform)
    asked = simulator.count("pckcerts")
    for platform in fleet:
        if not platform["platform_manifest"] and platform["expected_tcbm"]:
            assert witness.verify_pck(service.get(pckcert_path(platform, "0" * 768)), platform)
    assert simulator.count("pckcerts") == asked


def test_lazy_needs_the_pcs_no_more_after_registration(in_mode, fleet, simulator, witness):
    service = in_mode("LAZY")
    for platform in fleet:
        answer = register(service, platform)
        assert answer.status == (200 if platform["expected_tcbm"] else 404), platform["name"]
    before = simulator.stats()["total"]
    for platform in fleet:
        if platform["expected_tcbm"]:
            witness.verify_pck(service.get(pckcert_path(platform)), platform)
    prove_verification_collateral(service, witness)
    assert simulator.stats()["total"] == before
    assert queue(service) == []


def test_lazy_answers_after_a_restart_without_a_pcs(in_mode, fleet, simulator, witness):
    service = in_mode("LAZY")
    assert register(service, fleet[0]).text == OK
    assert service.stop() == 0
    simulator.control("fault", endpoint="*", kind="drop")
    service.start_again()
    witness.verify_pck(service.get(pckcert_path(fleet[0])), fleet[0])
    prove_verification_collateral(service, witness)


# ---- REQ ----

def test_req_fetches_at_registration_and_at_nothing_else(in_mode, fleet, simulator, witness):
    service = in_mode("REQ")
    assert service.get(pckcert_path(fleet[0])).status == 461
    assert service.get(TCB).status == 404
    assert simulator.stats()["total"] == 0
    answer = register(service, fleet[0])
    assert (answer.status, answer.text) == (200, OK)
    asked = simulator.stats()["total"]
    witness.verify_pck(service.get(pckcert_path(fleet[0])), fleet[0])
    prove_verification_collateral(service, witness)
    assert simulator.stats()["total"] == asked
    assert queue(service) == []


def test_req_keeps_a_registration_that_failed_until_it_succeeds(in_mode, fleet, simulator, witness):
    service = in_mode("REQ")
    simulator.control("fault", endpoint="pckcerts", kind="status", status=500)
    answer = register(service, fleet[0])
    assert answer.status == 503 and answer.header("Retry-After")
    assert [row["qe_id"] for row in queue(service)] == [fleet[0]["qe_id"]]
    simulator.control("clear")
    assert register(service, fleet[0]).status == 200
    assert queue(service) == []
    witness.verify_pck(service.get(pckcert_path(fleet[0])), fleet[0])


# ---- OFFLINE ----

@pytest.mark.parametrize("restart", [False, True])
def test_offline_by_file_serves_the_whole_fleet(in_mode, fleet, simulator, witness, restart):
    service = in_mode("OFFLINE")
    good = [platform for platform in fleet if platform["expected_tcbm"]]
    for platform in good:
        assert register(service, platform).text == OK
    assert simulator.stats()["total"] == 0
    rows = queue(service, "?source=reg")
    assert [row["qe_id"] for row in rows] == [platform["qe_id"] for platform in good]
    assert queue(service, "?source=reg") == []
    assert len(queue(service, "?source=reg_pending")) == len(good)
    answer = upload(service, Administrator(simulator).file(good))
    assert (answer.status, answer.text) == (200, OK), answer
    if restart:
        assert service.stop() == 0
        service.start_again()
    simulator.control("reset-stats")
    for platform in good:
        witness.verify_pck(service.get(pckcert_path(platform)), platform)
    prove_verification_collateral(service, witness)
    assert queue(service, "?source=reg_pending") == []
    assert simulator.stats()["total"] == 0
    listed = {row["qe_id"] for row in queue(service, "?source=[]")}
    assert listed == {platform["qe_id"] for platform in good}


def test_offline_refuses_to_refresh(in_mode):
    service = in_mode("OFFLINE")
    assert service.admin_get(f"{V4}/refresh").status == 503
    assert service.admin_get(f"{V4}/refresh?type=x").status == 400


def test_offline_misses_are_404_and_461(in_mode, fleet, simulator):
    service = in_mode("OFFLINE")
    assert service.get(TCB).status == 404
    assert service.get(pckcert_path(fleet[0])).status == 461
    assert simulator.stats()["total"] == 0


def test_offline_by_file_serves_the_bytes_that_were_signed(in_mode, fleet, simulator):
    service = in_mode("OFFLINE")
    assert upload(service, Administrator(simulator).file(fleet[:1])).status == 200
    for path in (TCB, f"{V4}/qe/identity?update=standard", f"{V4}/pckcrl?ca=platform&encoding=der"):
        served, signed = service.get(path), simulator.request("GET", path)
        assert served.body == signed.body, path
