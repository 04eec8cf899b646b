# SPDX-License-Identifier: BSD-3-Clause
"""A service in LAZY mode against the simulator: what a verifier and a platform get."""
import re
import threading
import time
import urllib.parse

import pytest

from harness import ADMIN_TOKEN, TDX, USER_TOKEN, V3, V4, Service

FMSPC = "00906EA10000"
IDENTITY_CHAIN = "SGX-Enclave-Identity-Issuer-Chain"
CRL_CHAIN = "SGX-PCK-CRL-Issuer-Chain"
CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----\n.*?-----END CERTIFICATE-----\n", re.S)


@pytest.fixture(scope="module")
def lazy(tmp_path_factory, simulator):
    """A service in LAZY mode that a whole module may ask."""
    configuration = {**simulator.configuration(), "CachingFillMode": "LAZY"}
    with Service(tmp_path_factory.mktemp("lazy"), configuration) as service:
        yield service


def chain_of(answer, name):
    chain = answer.header(name)
    assert chain.endswith("%0A")
    certificates = CERTIFICATE.findall(urllib.parse.unquote(chain))
    assert "".join(certificates) == urllib.parse.unquote(chain)
    return certificates


def pckcert_path(platform, version=V4, **changes):
    query = {
        "qeid": platform["qe_id"],
        "cpusvn": platform["cpu_svn"],
        "pcesvn": platform["pce_svn"],
        "pceid": platform["pce_id"],
        "encrypted_ppid": platform["enc_ppid"],
        **changes,
    }
    return f"{version}/pckcert?{urllib.parse.urlencode(query)}"


@pytest.mark.parametrize(
    "path, chain, content_type",
    [
        (f"{V4}/tcb?fmspc={FMSPC}", "TCB-Info-Issuer-Chain", "application/json"),
        (f"{V4}/qe/identity", IDENTITY_CHAIN, "application/json"),
        (f"{V4}/qve/identity?update=early", IDENTITY_CHAIN, "application/json"),
        (f"{TDX}/qe/identity", IDENTITY_CHAIN, "application/json"),
        (f"{V4}/pckcrl?ca=platform", CRL_CHAIN, "application/x-pem-file"),
        (f"{V4}/pckcrl?ca=processor&encoding=der", CRL_CHAIN, "application/pkix-crl"),
    ],
)
def test_collateral_comes_with_its_chain_etag_and_age(lazy, path, chain, content_type):
    answer = lazy.get(path)
    assert answer.status == 200, answer
    assert len(chain_of(answer, chain)) == 2
    assert answer.header("Content-Type").startswith(content_type)
    assert re.fullmatch(r'"[0-9a-f]{32}"', answer.header("ETag"))
    assert re.fullmatch(r"max-age=\d+", answer.header("Cache-Control"))


def test_the_second_request_does_not_reach_the_pcs(lazy, simulator):
    path = f"{V4}/tcb?fmspc={FMSPC}&update=early"
    first = lazy.get(path)
    asked = simulator.stats()["total"]
    second = lazy.get(path)
    assert (first.status, second.status) == (200, 200)
    assert second.body == first.body
    assert simulator.stats()["total"] == asked


def test_if_none_match_is_answered_with_304(lazy):
    path = f"{V4}/rootcacrl"
    etag = lazy.get(path).header("ETag")
    for value in (etag, f'"x", {etag}', f"W/{etag}", "*", '"x",' * 500 + etag):
        answer = lazy.request("GET", path, headers={"If-None-Match": value})
        assert (answer.status, answer.body) == (304, b""), value
        assert answer.header("ETag") == etag and answer.header("Cache-Control")
    for value in ('"x"', etag.strip('"'), ""):
        assert lazy.request("GET", path, headers={"If-None-Match": value}).status == 200


def test_head_of_collateral_names_the_length_of_the_body(lazy):
    path = f"{V4}/tcb?fmspc={FMSPC}"
    get = lazy.get(path)
    head = lazy.request("HEAD", path)
    assert (head.status, head.body) == (200, b"")
    assert head.header("Content-Length") == str(len(get.body))
    assert head.header("TCB-Info-Issuer-Chain") == get.header("TCB-Info-Issuer-Chain")


def test_every_platform_gets_the_certificate_that_fits_its_tcb(lazy, fleet):
    served = 0
    for platform in fleet:
        if platform["platform_manifest"] or not platform.get("expected_tcbm"):
            continue
        answer = lazy.get(pckcert_path(platform))
        assert answer.status == 200, (platform["name"], answer)
        assert answer.header("SGX-TCBm") == platform["expected_tcbm"], platform["name"]
        assert answer.header("SGX-FMSPC") == platform["fmspc"]
        assert answer.header("SGX-PCK-Certificate-CA-Type") == platform["ca"]
        assert len(CERTIFICATE.findall(answer.text)) == 1 and answer.text.endswith("\n")
        assert len(chain_of(answer, "SGX-PCK-Certificate-Issuer-Chain")) == 2
        served += 1
    assert served >= 3


def test_a_platform_with_a_manifest_is_registered_and_served(lazy, fleet):
    platform = next(p for p in fleet if p["platform_manifest"] and p.get("expected_tcbm"))
    body = {name: platform[name] for name in ("qe_id", "pce_id", "platform_manifest")}
    answer = lazy.post_json(f"{V4}/platforms", body)
    assert (answer.status, answer.text) == (200, "Operation successful."), answer
    answer = lazy.get(pckcert_path(platform, encrypted_ppid="0" * 768))
    assert answer.status == 200
    assert answer.header("SGX-TCBm") == platform["expected_tcbm"]


def test_v3_and_v4_share_certificates(lazy, fleet):
    platform = next(p for p in fleet if not p["platform_manifest"])
    assert lazy.get(pckcert_path(platform)).status == 200
    answer = lazy.get(pckcert_path(platform, V3))
    assert answer.status == 200 and answer.header("Warning").startswith("299 ")
    assert lazy.get(f"{V3}/tcb?fmspc={FMSPC}").status == 410


def test_crowd_at_a_miss_makes_one_upstream_request(start_service, simulator):
    simulator.control("reset-stats")
    simulator.control("fault", kind="delay", endpoint="tcb-tdx", delay_ms=500)
    service = start_service({**simulator.configuration(), "CachingFillMode": "LAZY"})
    fmspc = next(p["fmspc"] for p in simulator.fleet() if p["tdx"])
    answers = []
    crowd = [
        threading.Thread(target=lambda: answers.append(service.get(f"{TDX}/tcb?fmspc={fmspc}")))
        for _ in range(20)
    ]
    for one in crowd:
        one.start()
    for one in crowd:
        one.join()
    simulator.control("clear")
    assert [answer.status for answer in answers] == [200] * 20
    assert simulator.count("tcb-tdx") == 1


def test_unreachable_pcs_is_an_empty_503_that_says_when_to_come_again(start_service, simulator):
    configuration = {**simulator.configuration(), "CachingFillMode": "LAZY"}
    configuration["uri"] = "http://127.0.0.1:1/sgx/certification/v4/"
    service = start_service(configuration)
    answer = service.get(f"{V4}/tcb?fmspc={FMSPC}")
    assert (answer.status, answer.body) == (503, b"")
    assert int(answer.header("Retry-After")) >= 1
    assert answer.header("PCCS-Error-Detail")
    assert not [name for name, _ in answer.headers if name.lower().startswith(("sgx-", "tcb-"))]


@pytest.mark.parametrize("kind", ["tamper", "wrong-signer", "mismatch", "garbage"])
def test_what_does_not_verify_is_502_and_not_kept(start_service, simulator, kind):
    service = start_service({**simulator.configuration(), "CachingFillMode": "LAZY"})
    simulator.control("fault", kind=kind, endpoint="tcb-sgx")
    try:
        answer = service.get(f"{V4}/tcb?fmspc={FMSPC}")
    finally:
        simulator.control("clear")
    assert answer.status == 502, answer
    assert answer.header("PCCS-Error-Detail")
    assert service.get(f"{V4}/tcb?fmspc={FMSPC}").status == 200


def test_what_was_cached_is_there_after_a_restart(tmp_path, simulator):
    path = f"{V4}/tcb?fmspc={FMSPC}"
    service = Service(tmp_path, {**simulator.configuration(), "CachingFillMode": "LAZY"})
    with service:
        first = service.get(path)
        assert first.status == 200
    service.write(CachingFillMode="OFFLINE")
    with service:
        again = service.get(path)
        assert (again.status, again.body) == (200, first.body)
        assert again.header("ETag") == first.header("ETag")


def test_metrics_count_the_pcs(lazy):
    path = f"{V4}/qe/identity"
    assert lazy.get(path).status == lazy.get(path).status == 200
    asked = [value for name, value in lazy.metrics().items()
             if name.startswith("pccs_upstream_requests_total{") and 'code="200"' in name]
    assert sum(asked) > 0
    deadline = time.monotonic() + 5  # the cache tells its counts once a second
    while lazy.metrics()['pccs_cache_lookups_total{result="hit"}'] == 0:
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_refresh_asks_for_everything_again(lazy, simulator):
    assert lazy.get(f"{V4}/tcb?fmspc={FMSPC}").status == 200
    before = simulator.count("tcb-sgx")
    for method in ("GET", "POST"):
        answer = lazy.request(method, f"{V4}/refresh", headers={"admin-token": ADMIN_TOKEN})
        assert (answer.status, answer.text) == (200, "Operation successful."), answer
    assert simulator.count("tcb-sgx") >= before + 2
    assert lazy.request("GET", f"{V4}/refresh", headers={"admin-token": USER_TOKEN}).status == 401
