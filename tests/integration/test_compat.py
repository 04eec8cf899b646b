# SPDX-License-Identifier: BSD-3-Clause
"""What the comparison with the reference service showed to be told apart: one test each.

docs/compatibility.md lists the differences that stay.
"""
import json

import pytest

from clients import USER, Administrator, changed, queue, register, synthetic_platform, upload
from harness import V4


@pytest.fixture
def offline_service(start_service, simulator):
    return start_service({**simulator.configuration(), "CachingFillMode": "OFFLINE"})


@pytest.fixture(scope="module")
def file(simulator, fleet):
    return Administrator(simulator).file(fleet[:1])


@pytest.mark.parametrize("spoil", [
    lambda entry: entry.update(certs=[]),
    lambda entry: entry.update(certs=[{**cert, "cert": "Not available"}
                                      for cert in entry["certs"]]),
    lambda entry: entry.pop("enc_ppid"),
    lambda entry: entry["certs"][0].pop("tcb"),
])
def test_put_asks_every_platform_for_a_certificate_and_its_members(offline_service, file, spoil):
    answer = upload(offline_service, changed(file, lambda c: spoil(c["pck_certs"][0])))
    assert answer.status == 400, answer
    assert answer.header("PCCS-Error-Detail").startswith("collaterals.pck_certs[0]")


def test_put_keeps_the_root_crl_under_its_distribution_point_too(offline_service, file):
    path = f"{V4}/crl?uri={file['collaterals']['rootcacrl_cdp']}"
    assert offline_service.get(path).status == 404
    assert upload(offline_service, file).status == 200
    answer = offline_service.get(path)
    assert (answer.status, answer.header("Content-Type")) == (200, "application/pkix-crl")
    assert answer.body.hex() == file["collaterals"]["rootcacrl"]


def test_a_byte_order_mark_before_json_is_ignored(offline_service, file):
    row = synthetic_platform(1)
    mark = b"\xef\xbb\xbf"
    answer = offline_service.request("POST", f"{V4}/platforms", mark + json.dumps(row).encode(),
                                     USER)
    assert answer.status == 200, answer
    assert [found["qe_id"] for found in queue(offline_service)] == [row["qe_id"]]
    assert upload(offline_service, mark + json.dumps(file).encode()).status == 200
    twice = offline_service.request("POST", f"{V4}/platforms", mark + mark + b"{}", USER)
    assert twice.status == 400
    assert register(offline_service, row).status == 200
