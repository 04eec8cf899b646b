# SPDX-License-Identifier: BSD-3-Clause
"""pccsadmin get, put, refresh, hash-token against the real service: each error with its status."""
import http.server
import json
import ssl
import threading

import pytest

from admin import Admin
from clients import Administrator, queue, register, registration, synthetic_platform
from harness import ADMIN_TOKEN, V4, sha512


@pytest.fixture
def admin(tmp_path):
    folder = tmp_path / "admin"
    folder.mkdir()
    return Admin(folder)


@pytest.fixture
def offline_own(start_service):
    return start_service({"CachingFillMode": "OFFLINE"})


def put_platforms(service, count, **members):
    for number in range(count):
        platform = {**synthetic_platform(number), **members}
        assert service.post_json(f"{V4}/platforms", platform).status == 200


# ---- usage ----

def test_wrong_usage_is_2(admin):
    for arguments in ([], ["frobnicate"], ["get", "--frobnicate"], ["get", "stray"], ["get", "-o"],
                      ["put", "-u", "https://localhost:1/sgx/certification/v4/other"],
                      ["put", "-u", "https://localhost:1/x/appraisalpolicy"],
                      ["put", "-f", "00906EA10000"], ["refresh", "-f", "1234"],
                      ["get", "--ca", "x", "--no-pccs-cert-check"]):
        done = admin.run(*arguments)
        assert done.status == 2 and done.err, (arguments, done)


def test_help_and_version_are_0(admin):
    for arguments in (["-h"], ["-help"], ["-?"], ["--help"], ["--version"], ["get", "-h"],
                      ["put", "-?"], ["refresh", "--help"], ["hash-token", "-help"]):
        done = admin.run(*arguments)
        assert done.status == 0 and done.out and not done.err, (arguments, done)


def test_hash_token_prints_the_sha512(admin):
    for text in ("a token", "a token\n", "a token\r\n"):
        done = admin.run("hash-token", stdin=text)
        assert (done.status, done.out) == (0, sha512("a token") + "\n")
    assert admin.run("hash-token", "--json", stdin="x").json() == {"sha512": sha512("x")}


def test_hash_token_refuses_what_no_header_carries(admin):
    for text in ("", "\n", "two\nlines\n", "a\tb", "x" * 5000):
        assert admin.run("hash-token", stdin=text).status == 1


# ---- get ----

def test_get_takes_the_queue_and_acknowledges(admin, offline_own):
    put_platforms(offline_own, 3)
    done = admin.get(offline_own)
    assert done.status == 0 and "3 platforms" in done.out, done
    rows = admin.read("platform_list.json")
    assert [row["qe_id"] for row in rows] == [synthetic_platform(n)["qe_id"] for n in range(3)]
    assert list(rows[0]) == ["enc_ppid", "platform_manifest", "qe_id", "pce_id", "cpu_svn",
                             "pce_svn"]
    assert queue(offline_own) == []
    assert len(queue(offline_own, "?source=reg_pending")) == 3
    text = (admin.folder / "platform_list.json").read_text()
    assert text == json.dumps(rows)  # Python's own style


def test_get_lists_what_never_came_back(admin, offline_own):
    put_platforms(offline_own, 2)
    assert admin.get(offline_own).status == 0
    done = admin.get(offline_own, "-s", "reg_pending", "-o", "again.json", "--json")
    assert done.status == 0 and done.json()["platforms"] == 2
    assert admin.read("again.json") == admin.read("platform_list.json")


def test_get_without_a_terminal_overwrites_nothing_unasked(admin, offline_own):
    put_platforms(offline_own, 1)
    kept = admin.write("platform_list.json", "precious")
    done = admin.get(offline_own)
    assert done.status == 1 and "--overwrite" in done.err, done
    assert kept.read_text() == "precious" and len(queue(offline_own)) == 1
    assert admin.get(offline_own, "--overwrite").status == 0
    assert len(admin.read("platform_list.json")) == 1


def test_get_that_cannot_write_loses_nothing(admin, offline_own):
    put_platforms(offline_own, 1)
    done = admin.get(offline_own, "-o", "no/such/folder.json")
    assert done.status == 1 and "no/such" in done.err, done
    assert len(queue(offline_own)) == 1


def test_get_without_token_is_wrong_usage_and_says_which_variable(admin, offline_own):
    done = admin.get(offline_own, token=None)
    assert done.status == 2 and "PCCS_ADMIN_TOKEN" in done.err, done


def test_get_takes_the_token_from_a_file(admin, offline_own):
    admin.write("token", ADMIN_TOKEN + "\n")
    done = admin.get(offline_own, token=None)
    assert done.status == 2
    done = admin.run("get", "-u", f"https://localhost:{offline_own.port}{V4}/platforms", "--ca",
                     offline_own.folder / "ssl_key" / "ca.crt",
                     environment={"PCCS_ADMIN_TOKEN_FILE": str(admin.folder / "token")})
    assert done.status == 0, done
    assert admin.read("platform_list.json") == []


def test_a_wrong_token_is_told(admin, offline_own):
    done = admin.get(offline_own, token="hush-hush")
    assert done.status == 1 and "401" in done.err and "AdminTokenHash" in done.err, done
    assert "hush-hush" not in done.err


def test_an_untrusted_certificate_is_told_with_the_cure(admin, offline_own):
    done = admin.run("get", "-u", f"https://localhost:{offline_own.port}{V4}/platforms",
                     environment={"PCCS_ADMIN_TOKEN": ADMIN_TOKEN})
    assert done.status == 1 and "not trusted" in done.err and "--ca" in done.err, done
    assert "PCCS development CA" in done.err
    done = admin.run("get", "--no-pccs-cert-check", "-u",
                     f"https://localhost:{offline_own.port}{V4}/platforms",
                     environment={"PCCS_ADMIN_TOKEN": ADMIN_TOKEN})
    assert done.status == 0, done


def test_nobody_there_is_told(admin):
    done = admin.run("get", "-u", "https://localhost:1/sgx/certification/v4/platforms",
                     environment={"PCCS_ADMIN_TOKEN": "x"})
    assert done.status == 1 and "localhost:1" in done.err, done


class IntelPccs(http.server.BaseHTTPRequestHandler):
    """What Intel's service does with peek and ack: the rows are given once; no such address."""

    rows = [{"qe_id": "AB", "pce_id": "0000", "cpu_svn": "", "pce_svn": "", "enc_ppid": "",
             "platform_manifest": "ff"}]
    seen = []
    ack_status = 404

    def do_GET(self):
        self.seen.append(self.path)
        body = json.dumps(self.rows).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        self.seen.append(self.path)
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(self.ack_status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def intel(offline):
    """An Intel PCCS that wears the TLS files of the service `offline`."""
    class Handler(IntelPccs):
        seen = []
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(offline.folder / "ssl_key" / "file.crt",
                            offline.folder / "ssl_key" / "private.pem")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    server.port, server.folder, server.handler = server.server_address[1], offline.folder, Handler
    yield server
    server.shutdown()


def test_get_works_the_old_way_with_intels_service(admin, intel):
    done = admin.get(intel)
    assert done.status == 0 and not done.err, done
    assert admin.read("platform_list.json") == IntelPccs.rows
    assert intel.handler.seen[0] == f"{V4}/platforms?source=reg&peek=1"


def test_a_failed_acknowledgement_keeps_the_file_and_is_done_later(admin, intel, offline_own):
    intel.handler.ack_status = 500
    done = admin.get(intel)
    assert done.status == 1 and "get --ack platform_list.json" in done.err, done
    assert admin.read("platform_list.json") == IntelPccs.rows
    put_platforms(offline_own, 2)
    admin.write("list.json", queue(offline_own))
    done = admin.get(offline_own, "--ack", "list.json")
    assert done.status == 0 and "2 platforms" in done.out, done
    assert queue(offline_own) == []


def test_get_of_cached_platforms_puts_the_brackets(admin, intel):
    admin.get(intel, "-s", "00906EA10000,00606A000000", "-o", "a.json")
    admin.get(intel, "-s", "[]", "-o", "b.json")
    assert intel.handler.seen == [f"{V4}/platforms?source=%5B00906EA10000%2C00606A000000%5D",
                                  f"{V4}/platforms?source=%5B%5D"]


# ---- put, refresh ----

def test_put_uploads_and_the_platform_is_served(admin, simulator, fleet, start_service):
    service = start_service(simulator.configuration() | {"CachingFillMode": "OFFLINE"})
    platform = next(one for one in fleet if one["name"] == "client-1")
    admin.write("platform_collaterals.json", Administrator(simulator).file([platform]))
    done = admin.put(service)
    assert done.status == 0 and "uploaded successfully" in done.out, done
    assert register(service, platform).status == 200
    assert queue(service) == []


def test_put_of_a_forged_file_is_1_and_says_what_it_is(admin, simulator, fleet, start_service):
    service = start_service(simulator.configuration() | {"CachingFillMode": "OFFLINE"})
    file = Administrator(simulator).file(fleet[:1])
    collaterals = file["collaterals"]
    collaterals["qeidentity"] = collaterals["qeidentity"].replace("UpToDate", "Revoked")
    admin.write("forged.json", file)
    done = admin.put(service, "-i", "forged.json")
    assert done.status == 1 and "460" in done.err and "not what Intel signed" in done.err, done


def test_put_of_too_much_names_the_setting(admin, start_service):
    service = start_service({"MaxRequestBodySize": "1KB"})
    admin.write("large.json", {"platforms": [], "collaterals": {}, "x": "x" * 5000})
    done = admin.put(service, "-i", "large.json")
    assert done.status == 1 and "MaxRequestBodySize" in done.err, done


def test_put_of_no_json_sends_nothing(admin, offline_own):
    admin.write("broken.json", '{"platforms": [')
    done = admin.put(offline_own, "-i", "broken.json")
    assert done.status == 1 and "nothing was sent" in done.err, done
    assert admin.put(offline_own, "-i", "absent.json").status == 1


def policy_text():
    import base64
    payload = json.dumps({"policy_payload": json.dumps({"policy_array": [
        {"environment": {"class_id": "3123ec35-8d38-4ea5-87a5-d6c48b567570"}}]})})
    return "e30." + base64.urlsafe_b64encode(payload.encode()).decode().rstrip("=") + ".c2ln"


def test_put_of_a_policy_gives_its_id(admin, offline_own):
    text = policy_text()
    admin.write("policy.jwt", text)
    done = admin.pccs(offline_own, "put", f"{V4}/appraisalpolicy", "-d", "-f", "00906ea10000", "-i",
                      "policy.jwt", "--json")
    import hashlib
    assert done.status == 0, done
    assert done.json()["policy_id"] == hashlib.sha384(text.encode()).hexdigest()
    assert offline_own.get(f"{V4}/appraisalpolicy?fmspc=00906EA10000").text == text


def test_refresh_takes_every_form_of_the_list(admin, simulator, start_service):
    service = start_service(simulator.configuration() | {"CachingFillMode": "LAZY"})
    for arguments in ([], ["-f", "all"], ["-f", "[]"], ["-f", "00906EA10000"],
                      ["-f", "[00906EA10000, 00606a000000]"], ["-f", "00906EA10000,00606A000000"]):
        done = admin.refresh(service, *arguments)
        assert done.status == 0, (arguments, done)


def test_refresh_of_an_offline_service_is_1(admin, offline_own):
    done = admin.refresh(offline_own)
    assert done.status == 1 and "OFFLINE" in done.err, done
    assert registration(synthetic_platform(1))["pce_id"] == "0000"
