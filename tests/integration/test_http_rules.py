# SPDX-License-Identifier: BSD-3-Clause
"""What every request is held to before anything is looked up: routes, tokens, bodies, headers."""
import re
import subprocess

import pytest

from harness import ADMIN_TOKEN, TDX, USER_TOKEN, V3, V4

NOT_FOUND = "No cache data for this platform."
UNAUTHORISED = "Authentication failed."
V3_WARNING = re.compile(r'299 - ".*PCS API version 3.*version 4.*"')


def test_unknown_path_is_404(offline):
    v5 = "/sgx/certification/v5/tcb"
    for path in ("/nothing", V4 + "/nothing", V4, TDX + "/qve/identity", v5):
        answer = offline.get(path)
        assert (answer.status, answer.text) == (404, NOT_FOUND), path


@pytest.mark.parametrize(
    "method, path, allow",
    [
        ("DELETE", V4 + "/pckcert", {"GET", "HEAD"}),
        ("POST", V4 + "/tcb", {"GET", "HEAD"}),
        ("PUT", V4 + "/platforms", {"GET", "HEAD", "POST"}),
        ("POST", V4 + "/appraisalpolicy", {"GET", "HEAD", "PUT"}),
        ("POST", "/healthz/live", {"GET", "HEAD"}),
    ],
)
def test_wrong_method_is_405_and_allow_names_the_right_ones(offline, method, path, allow):
    answer = offline.request(method, path)
    assert answer.status == 405
    assert set(answer.header("Allow").replace(" ", "").split(",")) - {"OPTIONS"} == allow


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "PUT"])
def test_platformcollateral_wants_the_token_for_every_method(offline, method):
    path = V4 + "/platformcollateral"
    assert offline.request(method, path).status == 401
    answer = offline.request(method, path, headers={"admin-token": ADMIN_TOKEN})
    assert answer.status == (400 if method == "PUT" else 405)


@pytest.mark.parametrize(
    "method, path, header, token",
    [
        ("POST", "/platforms", "user-token", ADMIN_TOKEN),
        ("GET", "/platforms", "admin-token", USER_TOKEN),
        ("GET", "/refresh", "admin-token", USER_TOKEN),
        ("POST", "/platforms/ack", "admin-token", ""),
        ("PUT", "/appraisalpolicy", "admin-token", ADMIN_TOKEN + " "),
        ("PUT", "/platformcollateral", "user-token", ADMIN_TOKEN),
    ],
)
def test_wrong_token_is_401(offline, method, path, header, token):
    answer = offline.request(method, V4 + path, headers={header: token.strip() + "x"})
    assert (answer.status, answer.text) == (401, UNAUTHORISED)
    assert offline.request(method, V4 + path).status == 401


def test_token_is_judged_before_parameters_and_body(offline):
    body = "this is not JSON"
    headers = {"Content-Type": "text/plain"}
    assert offline.request("POST", V4 + "/platforms?update=x", body, headers).status == 401
    assert offline.request("GET", V4 + "/platforms?source=x").status == 401


def test_no_token_configured_is_401(start_service):
    service = start_service({"UserTokenHash": "", "AdminTokenHash": ""})
    assert service.post_json(V4 + "/platforms", {}).status == 401
    assert service.admin_get(V4 + "/platforms").status == 401
    assert service.request("GET", V4 + "/platforms", headers={"admin-token": ""}).status == 401


def test_body_is_not_waited_for_without_the_token(offline):
    with offline.open_socket(timeout=5) as peer:
        peer.sendall(
            f"POST {V4}/platforms HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n"
            "Content-Type: application/json\r\n\r\n".encode()
        )
        assert peer.recv(100).startswith(b"HTTP/1.1 401 ")


def test_body_above_the_limit_is_413(start_service):
    service = start_service({"MaxRequestBodySize": "4KB"})
    answer = service.post_json(V4 + "/platforms", b" " * 4097)
    assert (answer.status, answer.text) == (413, "Content too large.")
    assert service.post_json(V4 + "/platforms", b" " * 4096).status == 400


@pytest.mark.parametrize(
    "headers, status",
    [
        ({"Content-Type": "text/plain"}, 400),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 400),
        ({}, 400),
        ({"Content-Type": "application/json; charset=utf-16"}, 415),
        ({"Content-Type": "application/json", "Content-Encoding": "gzip"}, 415),
    ],
)
def test_body_must_be_plain_utf8_json(offline, headers, status):
    body = '{"qe_id":"00","pce_id":"0000","platform_manifest":"00"}'
    answer = offline.request(
        "POST", V4 + "/platforms", body, {"user-token": USER_TOKEN, **headers}
    )
    assert answer.status == status


@pytest.mark.parametrize("body", ["", "{", "[]", '"x"', '{"qe_id":1}', "\x00"])
def test_malformed_body_is_400(offline, body):
    answer = offline.post_json(V4 + "/platforms", body)
    assert (answer.status, answer.text) == (400, "Invalid request parameters.")


@pytest.mark.parametrize(
    "query",
    [
        "tcb",
        "tcb?fmspc=00906EA1000",
        "tcb?fmspc=00906EA10000&update=all",
        "tcb?fmspc=00906EA10000&update=early&tcbEvaluationDataNumber=17",
        "qe/identity?update=",
        "pckcrl",
        "pckcrl?ca=root",
        "pckcert?qeid=00&cpusvn=00&pcesvn=0000&pceid=0000",
        "crl?uri=https://example.com/IntelSGXRootCA.der",
    ],
)
def test_bad_parameters_are_400_and_the_detail_says_which(offline, query):
    answer = offline.get(f"{V4}/{query}")
    assert (answer.status, answer.text) == (400, "Invalid request parameters.")
    assert answer.header("PCCS-Error-Detail")


def test_paths_are_taken_in_any_case_and_with_one_trailing_slash(offline):
    query = "?fmspc=00906EA10000"
    for path in ("/SGX/Certification/V4/TCB", V4 + "/tcb/", V4 + "/tcb"):
        assert offline.get(path + query).status == 404
        assert offline.get(path).status == 400


def test_every_answer_has_a_request_id(offline):
    seen = set()
    for path in ("/nothing", V4 + "/tcb", "/healthz/live", "/"):
        request_id = offline.get(path).header("Request-ID")
        assert re.fullmatch("[0-9a-f]{32}", request_id)
        seen.add(request_id)
    assert len(seen) == 4


def test_request_id_is_echoed_only_if_it_is_harmless(offline):
    answer = offline.request("GET", "/nothing", headers={"Request-ID": "Abc-123"})
    assert answer.header("Request-ID") == "Abc-123"
    for bad in ("a b", "x" * 65, 'a"b', "a_b"):
        answer = offline.request("GET", "/nothing", headers={"Request-ID": bad})
        assert re.fullmatch("[0-9a-f]{32}", answer.header("Request-ID"))


def test_every_v3_answer_carries_the_end_of_life_warning(offline):
    asked = [("GET", "/nothing"), ("POST", "/platforms"), ("GET", "/tcb")]
    for method, path in ((method, V3 + path) for method, path in asked):
        warnings = offline.request(method, path).all("Warning")
        assert len(warnings) == 1 and V3_WARNING.fullmatch(warnings[0]), path
    assert offline.get(V4 + "/tcb").all("Warning") == []


def test_head_answers_as_get_without_the_body(offline):
    for path in ("/healthz/ready", "/", V4 + "/tcb", "/nothing"):
        get = offline.get(path)
        head = offline.request("HEAD", path)
        assert head.status == get.status
        assert head.body == b""
        assert abs(int(head.header("Content-Length")) - len(get.body)) < 16


def test_expect_100_continue_is_answered(offline):
    done = subprocess.run(
        ["curl", "-sv", "--max-time", "10", "--cacert", str(offline.folder / "ssl_key/ca.crt"),
         "-H", "Expect: 100-continue", "-H", "Content-Type: application/json",
         "-H", f"user-token: {USER_TOKEN}", "--data-binary", "{}",
         f"https://127.0.0.1:{offline.port}{V4}/platforms"],
        capture_output=True, text=True, timeout=30,
    )
    assert "HTTP/1.1 100" in done.stderr
    assert "HTTP/1.1 400" in done.stderr
    assert done.stdout == "Invalid request parameters."


def test_refused_request_is_logged_with_id_and_reason_but_without_its_query(offline):
    ppid = "5A" * 384
    path = f"{V4}/pckcert?qeid=00&cpusvn=xyz&pcesvn=0000&pceid=0000&encrypted_ppid={ppid}"
    answer = offline.request("GET", path, headers={"Request-ID": "look-for-me"})
    assert answer.status == 400
    offline.wait_for_log("request_id=look-for-me")
    lines = [line for line in offline.log().splitlines() if "look-for-me" in line]
    assert any("request-refused" in line and "reason=" in line for line in lines)
    assert "5A5A5A5A" not in offline.log()
    assert ADMIN_TOKEN not in offline.log() and USER_TOKEN not in offline.log()
