# SPDX-License-Identifier: BSD-3-Clause
"""Faults of the reference service that nothing else shows to be absent here: one test each.

docs/reference-faults.md lists all of them with the tests that show it.
"""
import base64
import json
import re
import socket
import time
import urllib.parse

import pytest

from clients import (ADMIN, JSON, OK, Administrator, changed, pckcert_path, queue, register,
                     rows_of, together, upload, wait_until)
from harness import ADMIN_TOKEN, ROOT, V3, V4, Simulator

CLIENT = "00906EA10000"
NO_EARLY = "20906ED50000"
TCB = f"{V4}/tcb?fmspc={CLIENT}&update=standard"
STORED = ("platforms", "platform_tcbs", "pck_cert", "fmspc_tcbs", "enclave_identities", "pck_crl",
          "crl_cache")


@pytest.fixture(autouse=True)
def fresh_simulator(simulator):
    simulator.control("reset")
    simulator.control("reset-stats")


@pytest.fixture
def lazy(start_service, simulator):
    return start_service({**simulator.configuration(), "CachingFillMode": "LAZY"})


@pytest.fixture
def offline_service(start_service, simulator):
    return start_service({**simulator.configuration(), "CachingFillMode": "OFFLINE"})


@pytest.fixture(scope="module")
def file(simulator, fleet):
    """A collaterals file for the first platform of the fleet."""
    return Administrator(simulator).file(fleet[:1])


@pytest.fixture(scope="module")
def strangers_file(tmp_path_factory, fleet):
    """The same, all of it signed by a PKI that nobody here trusts."""
    with Simulator(tmp_path_factory.mktemp("stranger")) as stranger:
        yield Administrator(stranger).file(fleet[:1])


def assert_nothing_stored(service):
    assert {table: rows_of(service, table) for table in STORED} == dict.fromkeys(STORED, 0)


def assert_refused_whole(service, file, status=460):
    answer = upload(service, file)
    assert answer.status == status, answer
    assert answer.header("PCCS-Error-Detail")
    assert_nothing_stored(service)


# ---- trust ----

@pytest.mark.parametrize("text", ["hello", "{}", '{"enclaveIdentity":{},"signature":"00"}'])
def test_an_identity_in_put_is_not_any_string(offline_service, file, text):
    answer = upload(offline_service, changed(file, lambda c: c.update(qeidentity=text)))
    assert answer.status in (400, 460)
    assert_nothing_stored(offline_service)


def test_put_does_not_take_the_qe_for_the_qve(offline_service, file):
    assert_refused_whole(offline_service,
                         changed(file, lambda c: c.update(qveidentity=c["qeidentity"])))


def test_chains_in_put_are_parsed_and_tied_to_the_anchor(offline_service, file, strangers_file):
    chains = strangers_file["collaterals"]["certificates"]
    assert_refused_whole(offline_service, strangers_file)
    for name in chains:
        assert_refused_whole(offline_service, changed(
            file, lambda c, name=name: c["certificates"].update({name: chains[name]})))


def reversed_chain(chain):
    text = urllib.parse.unquote(chain)
    parts = re.findall("-----BEGIN.*?-----END CERTIFICATE-----\n", text, re.S)
    return urllib.parse.quote("".join(reversed(parts)), safe="!~*'()")


def test_a_chain_in_the_wrong_order_is_refused_and_poisons_nothing(offline_service, file):
    assert upload(offline_service, file).status == 200
    before = offline_service.get(TCB)
    bad = changed(file, lambda c: c["certificates"].update({
        name: reversed_chain(chain) if isinstance(chain, str) else
        {ca: reversed_chain(text) for ca, text in chain.items()}
        for name, chain in c["certificates"].items()}))
    assert upload(offline_service, bad).status == 460
    after = offline_service.get(TCB)
    assert (after.status, after.body) == (200, before.body)
    assert after.header("TCB-Info-Issuer-Chain") == before.header("TCB-Info-Issuer-Chain")


def test_cr_lf_in_a_chain_does_not_break_later_answers(offline_service, file):
    assert upload(offline_service, changed(file, lambda c: c["certificates"].update({
        name: chain.replace("%0A", "%0D%0A") if isinstance(chain, str) else
        {ca: text.replace("%0A", "%0D%0A") for ca, text in chain.items()}
        for name, chain in c["certificates"].items()}))).status == 200
    for path in (TCB, f"{V4}/qe/identity", f"{V4}/pckcrl?ca=processor"):
        answer = offline_service.get(path)
        assert answer.status == 200
        assert not any("%0D" in value for _, value in answer.headers)


@pytest.mark.parametrize("spoil", [lambda hexed: "zz" + hexed, lambda hexed: hexed[:100] + "x" +
                                   hexed[101:], lambda hexed: hexed[:-2], lambda hexed: "00"])
@pytest.mark.parametrize("which", ["rootcacrl", "processorCrl"])
def test_a_crl_that_is_not_hex_or_not_whole_is_refused(offline_service, file, which, spoil):
    def change(collaterals):
        holder = collaterals if which == "rootcacrl" else collaterals["pckcacrl"]
        holder[which] = spoil(holder[which])

    answer = upload(offline_service, changed(file, change))
    assert answer.status in (400, 460)
    assert_nothing_stored(offline_service)


def test_a_root_crl_url_outside_the_allow_list_is_not_stored(offline_service, file):
    url = "https://elsewhere.example/IntelSGXRootCA.der"
    answer = upload(offline_service, changed(file, lambda c: c.update(rootcacrl_cdp=url)))
    assert answer.status == 200 and answer.header("PCCS-Error-Detail")
    assert offline_service.get(f"{V4}/crl?uri={url}").status == 400
    assert offline_service.get(f"{V4}/rootcacrl").status == 200
    assert url.encode() not in (offline_service.folder / "pckcache.db").read_bytes()
    assert url.encode() not in (offline_service.folder / "pckcache.db-wal").read_bytes()


def test_tcb_info_of_another_fmspc_is_refused(offline_service, simulator, fleet):
    other = next(platform for platform in fleet if platform["fmspc"] == NO_EARLY)
    two = Administrator(simulator).file([fleet[0], other])

    def exchange(collaterals):
        first, second = collaterals["tcbinfos"]
        first["sgx_tcbinfo"], second["sgx_tcbinfo"] = second["sgx_tcbinfo"], first["sgx_tcbinfo"]

    assert_refused_whole(offline_service, changed(two, exchange))


def test_put_does_not_rewrite_what_was_signed(offline_service, simulator, file):
    signed = simulator.request("GET", TCB).body
    spaced = json.dumps(file, indent=3, separators=(" , ", " :\t"))
    assert upload(offline_service, spaced).status == 200
    assert offline_service.get(TCB).body == signed


@pytest.mark.parametrize("old, new", [
    ('"id": "SGX"', '"id": "TDX", "id": "SGX"'),  # the last one wins in the reference
    ('"version": 3', '"version": 3.0'),
])
def test_put_does_not_take_for_signed_what_only_parses_alike(offline_service, file, old, new):
    text = json.dumps(file)
    assert old in text
    answer = upload(offline_service, text.replace(old, new, 1))
    assert answer.status in (400, 460)
    assert_nothing_stored(offline_service)


# ---- losing data, half-done changes ----

def test_a_client_that_dies_while_it_reads_the_queue_loses_nothing(offline_service, fleet):
    for platform in fleet:
        assert register(offline_service, platform).status == 200
    with offline_service.open_socket() as peer:
        peer.sendall(f"GET {V4}/platforms HTTP/1.1\r\nHost: x\r\n"
                     f"admin-token: {ADMIN_TOKEN}\r\n\r\n".encode())
        assert peer.recv(1)
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    assert queue(offline_service) == []
    pending = queue(offline_service, "?source=reg_pending")
    assert {row["qe_id"] for row in pending} == {platform["qe_id"] for platform in fleet}


def test_head_of_the_queue_drains_nothing(offline_service, fleet):
    register(offline_service, fleet[0])
    head = offline_service.request("HEAD", f"{V4}/platforms", headers=ADMIN)
    assert (head.status, head.body) == (200, b"")
    assert len(queue(offline_service, "")) == 1


def test_a_refused_put_leaves_not_even_half_of_its_rows(offline_service, simulator, fleet):
    five = [platform for platform in fleet if platform["expected_tcbm"]][:5]
    good = Administrator(simulator).file(five)

    def spoil(collaterals):
        certificate = collaterals["pck_certs"][3]["certs"][0]
        certificate["cert"] = "%zz" + certificate["cert"]

    assert_refused_whole(offline_service, changed(good, spoil), 400)


def test_refresh_of_certificates_needs_no_early_tcb_info(lazy, fleet, simulator):
    platform = next(platform for platform in fleet if platform["fmspc"] == NO_EARLY)
    assert register(lazy, platform).status == 200
    before = simulator.count("pckcerts")
    answer = lazy.admin_get(f"{V4}/refresh?type=certs&fmspc={NO_EARLY}")
    assert (answer.status, answer.text) == (200, OK)
    assert simulator.count("pckcerts") == before + 1


@pytest.mark.parametrize("lower", ["platforms", "pck_certs"])
def test_put_takes_one_platform_in_two_cases_for_one(offline_service, file, fleet, lower):
    def change(whole):
        rows = whole["platforms"] if lower == "platforms" else whole["collaterals"]["pck_certs"]
        rows[0]["qe_id"] = rows[0]["qe_id"].lower()
        return whole

    assert upload(offline_service, change(json.loads(json.dumps(file)))).status == 200
    answer = offline_service.get(pckcert_path(fleet[0]))
    assert answer.status == 200
    assert answer.header("SGX-TCBm") == fleet[0]["expected_tcbm"]


def test_put_of_version_3_takes_a_platform_with_a_raw_tcb(offline_service, simulator, fleet):
    answer = upload(offline_service, Administrator(simulator, 3).file(fleet[:1]), V3)
    assert answer.status == 200, answer
    for base in (V3, V4):
        answer = offline_service.get(pckcert_path(fleet[0], base=base))
        assert answer.status == 200 and answer.header("SGX-TCBm") == fleet[0]["expected_tcbm"]
    assert offline_service.get(f"{V3}/tcb?fmspc={CLIENT}").status == 200


def test_a_platform_below_every_certificate_leaves_nothing_behind(lazy, fleet):
    ancient = next(platform for platform in fleet if not platform["expected_tcbm"])
    assert lazy.get(pckcert_path(ancient)).status == 404
    assert rows_of(lazy, "platforms") == rows_of(lazy, "pck_cert") == 0


def test_a_registration_without_the_root_crl_is_not_500_and_goes_on_later(lazy, simulator, fleet):
    simulator.control("fault", endpoint="rootcrl", kind="status", status=500)
    answer = register(lazy, fleet[0])
    assert answer.status == 503 and answer.header("Retry-After"), answer
    assert lazy.get(pckcert_path(fleet[0])).status == 200
    simulator.control("clear")
    simulator.control("reset-stats")
    assert register(lazy, fleet[0]).status == 200
    assert simulator.count("rootcrl") == 1 and simulator.count("pckcerts") == 0


# ---- load, locking, denial of service ----

def test_a_refresh_holds_nobody_up(lazy, simulator, fleet):
    """While it waits for a slow PCS, hits, registrations, new raw TCBs and uploads do not."""
    good = [platform for platform in fleet if platform["expected_tcbm"]]
    for platform in good[:3]:
        assert register(lazy, platform).status == 200

    def refresh(_):
        started = time.monotonic()
        return lazy.admin_get(f"{V4}/refresh"), time.monotonic() - started

    def others(_):
        wait_until(lambda: simulator.stats()["total"] > 0, "the refresh has begun")
        started = time.monotonic()
        hit = lazy.get(TCB).status
        known = register(lazy, good[0]).status
        raw = lazy.get(pckcert_path(good[0], cpu_svn="13" + good[0]["cpu_svn"][2:])).status
        put = upload(lazy, small).status
        return (hit, known, raw, put), time.monotonic() - started

    small = Administrator(simulator).file(good[:1])
    simulator.control("delay", delay_ms=1000)
    simulator.control("reset-stats")
    results = together(2, lambda number: (refresh, others)[number](number))
    (refreshed, refresh_seconds), (statuses, seconds) = results
    assert refreshed.status == 200 and refresh_seconds > 1
    assert statuses == (200, 200, 200, 200)
    assert seconds < 0.9, f"the others took {seconds:.2f} s"


def test_strangers_cannot_grow_the_cache_by_crl_urls(lazy, simulator):
    base = f"http://127.0.0.1:{simulator.port}/IntelSGXRootCA.der"
    for number in range(70):
        assert lazy.get(f"{V4}/crl?uri={base}?x{number}").status == 200
    assert rows_of(lazy, "crl_cache") <= 65  # the root CRL's own URL does not count
    assert lazy.metrics()['pccs_ceilings_reached_total{ceiling="crl_urls"}'] >= 1


def test_strangers_cannot_grow_the_cache_by_raw_tcbs(lazy, fleet):
    platform = next(p for p in fleet if p["expected_tcbm"])
    for number in range(80):
        svn = platform["cpu_svn"][:2] + f"{0x12 + number:02X}" + platform["cpu_svn"][4:]
        assert lazy.get(pckcert_path(platform, cpu_svn=svn)).status == 200
    assert rows_of(lazy, "platform_tcbs") <= 64


def test_a_body_is_not_parsed_before_the_route_is_known(offline):
    for method in ("GET", "POST", "PUT"):
        assert offline.request(method, "/nothing", "{bad json", JSON).status == 404


# ---- status codes ----

@pytest.mark.parametrize("status, told", [
    (400, 502), (401, 502), (403, 502), (429, 503), (500, 503), (404, 404), (410, 404),
])
def test_what_the_pcs_says_is_not_told_as_404(lazy, simulator, status, told):
    simulator.control("fault", endpoint="tcb-sgx", kind="status", status=status, retry_after=7)
    answer = lazy.get(TCB)
    assert answer.status == told
    assert str(status) in answer.header("PCCS-Error-Detail")
    if told == 503:
        assert answer.body == b"" and int(answer.header("Retry-After")) >= 1
        assert not [key for key, _ in answer.headers if key.lower().startswith(("sgx-", "tcb-"))]


@pytest.mark.parametrize("header", ["SGX-PCK-Certificate-Issuer-Chain", "SGX-FMSPC",
                                    "SGX-PCK-Certificate-CA-Type"])
def test_a_header_that_the_pcs_left_out_is_not_the_clients_fault(lazy, simulator, fleet, header):
    simulator.control("fault", endpoint="pckcerts", kind="missing-header", header=header)
    answer = lazy.get(pckcert_path(fleet[0]))
    assert answer.status == 502, answer


@pytest.mark.parametrize("kind, more, told", [
    ("drop", {}, 503), ("status", {"status": 404}, 404), ("status", {"status": 500}, 503),
    ("garbage", {}, 502),
])
def test_a_crl_that_cannot_be_downloaded_is_not_500(lazy, simulator, kind, more, told):
    simulator.control("fault", endpoint="rootcrl", kind=kind, **more)
    url = f"http://127.0.0.1:{simulator.port}/IntelSGXRootCA.der"
    assert lazy.get(f"{V4}/crl?uri={url}").status == told
    assert lazy.get(f"{V4}/rootcacrl").status == told
    simulator.control("clear")


@pytest.mark.parametrize("query, status", [
    (f"tcb?fmspc={CLIENT}&update[a]=x", 404), ("pckcrl?ca[a]=", 400),
    ("pckcrl?ca=platform&encoding[a]=", 404), ("pckcert?qeid[a]=1", 400),
    ("qe/identity?update[]=early", 404),
])
def test_nested_parameters_are_not_500(offline, query, status):
    assert offline.get(f"{V4}/{query}").status == status


@pytest.mark.parametrize("payload", [
    {"policy_array": 7}, {"policy_array": [7]}, {"policy_array": None}, {},
    {"policy_array": [{"environment": {"class_id": 7}}]},
])
def test_a_policy_of_odd_types_is_not_500(offline_service, payload):
    part = base64.urlsafe_b64encode(
        json.dumps({"policy_payload": json.dumps(payload)}).encode()).decode().rstrip("=")
    answer = offline_service.put_json(f"{V4}/appraisalpolicy", {
        "is_default": True, "fmspc": CLIENT, "policy": f"e30.{part}.sig"})
    assert answer.status == 400


def test_a_manifest_that_is_not_hex_is_refused(offline_service, fleet):
    for manifest in ("zz", "123", "12 34", "0x12"):
        assert register(offline_service, fleet[0], platform_manifest=manifest).status == 400
    assert queue(offline_service) == []


def test_an_upper_case_manifest_is_not_fetched_anew(lazy, simulator, fleet):
    platform = next(platform for platform in fleet if platform["platform_manifest"])
    for manifest in (platform["platform_manifest"].upper(), platform["platform_manifest"].lower()):
        assert register(lazy, platform, platform_manifest=manifest).status == 200
    assert simulator.count("pckcerts") == 1


# ---- the page ----

def test_every_test_that_the_page_names_exists():
    page = (ROOT / "docs" / "reference-faults.md").read_text()
    named = re.findall(r"`(?:(test_\w+)::)?(test_\w+|\w+\.scn)`", page)
    assert len(named) > 60
    integration = "".join(path.read_text() for path in
                          (ROOT / "tests" / "integration").glob("test_*.py"))
    for file, name in named:
        if name.endswith(".scn"):
            assert (ROOT / "tests" / "scenario" / name).exists(), name
        elif file:
            [path] = (ROOT / "tests" / "unit").glob(f"*/{file}.c")
            assert f"\n{name}(void" in path.read_text(), f"{file}: {name}"
        else:
            assert f"\ndef {name}(" in integration, name
