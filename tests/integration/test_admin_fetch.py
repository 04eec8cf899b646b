# SPDX-License-Identifier: BSD-3-Clause
"""pccsadmin fetch from the simulated PCS: whole, broken, refused, forged, unreachable."""
import contextlib
import http.client
import json
import os
import ssl
import subprocess
import time

import pytest

from admin import Admin
from clients import Administrator, pckcert_path, queue, register, registration
from harness import TDX, V4, Answer, Simulator, clean_environment, program

NAMES = ("enc_ppid", "platform_manifest", "qe_id", "pce_id", "cpu_svn", "pce_svn")


@pytest.fixture
def admin(tmp_path):
    folder = tmp_path / "admin"
    folder.mkdir()
    return Admin(folder)


@pytest.fixture
def pcs(simulator):
    """The shared simulator, with its orders forgotten before and after."""
    simulator.control("reset")
    yield simulator
    simulator.control("reset")


def rows(*platforms):
    return [{name: platform[name] for name in NAMES} for platform in platforms]


def named(fleet, *names):
    found = {platform["name"]: platform for platform in fleet}
    return [found[name] for name in names]


def fetch(admin, pcs, platforms, *arguments, **more):
    admin.write("platform_list.json", rows(*platforms))
    return admin.fetch(pcs, "--retries", 0, *arguments, **more)


# ---- refusals ----

def test_wrong_usage_is_2(admin, pcs):
    for arguments in (["-t", "late"], ["-p", "E4"], ["--jobs", "0"], ["--jobs", "x"],
                      ["--retries", "21"], ["--jobs"]):
        done = fetch(admin, pcs, [], *arguments)
        assert done.status == 2 and "usage" not in done.out, (arguments, done)


def test_a_broken_list_is_1_and_nothing_is_asked(admin, pcs):
    pcs.control("reset-stats")
    for text in ("", "{}", "[", '[{"qe_id": "A"}', '[{"qe_id": "A"}] x', '[{"a": 1} {"b": 2}]',
                 "[1]", '[{"a": }]', '[{"a": "' + "x" * 2000000 + '"}]'):
        admin.write("platform_list.json", text)
        done = admin.fetch(pcs)
        assert done.status == 1 and "platform_list.json" in done.err, (text[:40], done)
    assert admin.fetch(pcs, "-i", "absent.json").status == 1
    assert pcs.stats()["total"] == 0
    assert os.listdir(admin.folder) == ["platform_list.json"]


def test_an_unregistered_platform_is_explained(admin, pcs, fleet):
    platform, = named(fleet, "e5-double")
    done = fetch(admin, pcs, [{**platform, "platform_manifest": ""}])
    assert done.status == 1, done
    assert "SGX Factory Reset" in done.err and "PCKIDRetrievalTool" in done.err
    assert "only\n  once" in done.err
    assert "nothing was got" in done.err
    assert not (admin.folder / "platform_collaterals.json").exists()
    failed = admin.read("failed_platforms.json")
    assert len(failed) == 1 and "404" in failed[0]["reason"]
    assert {name: failed[0][name] for name in NAMES} == {**rows(platform)[0],
                                                          "platform_manifest": ""}


def test_one_broken_platform_stops_nobody(admin, pcs, fleet):
    good = named(fleet, "client-1", "e5-single", "tdx-double")
    unregistered = {**named(fleet, "e5-double")[0], "platform_manifest": ""}
    broken = {**named(fleet, "e3-1")[0], "enc_ppid": "not hex"}
    done = fetch(admin, pcs, [good[0], unregistered, good[1], broken, good[2]])
    assert done.status == 1, done
    file = admin.read("platform_collaterals.json")
    assert file["platforms"] == rows(*good)
    assert [entry["qe_id"] for entry in file["collaterals"]["pck_certs"]] == [
        platform["qe_id"] for platform in good]
    failed = admin.read("failed_platforms.json")
    assert [row["qe_id"] for row in failed] == [unregistered["qe_id"], broken["qe_id"]]
    assert "enc_ppid" in failed[1]["reason"]
    assert "2 of 5 platforms failed" in done.err


def test_the_failed_ones_can_be_fetched_again(admin, pcs, fleet):
    pcs.control("fault", endpoint="pckcerts", kind="status", status=500, match="e5-single")
    done = fetch(admin, pcs, named(fleet, "client-1", "e5-single"))
    assert done.status == 1, done
    pcs.control("clear")
    done = admin.fetch(pcs, "-i", "failed_platforms.json", "-o", "rest.json")
    assert done.status == 0, done
    assert len(admin.read("rest.json")["collaterals"]["pck_certs"]) == 1


@pytest.mark.parametrize("kind", ["tamper", "wrong-signer", "garbage", "missing-header", "truncate",
                                  "empty"])
def test_nothing_unproven_is_written(admin, pcs, fleet, kind):
    pcs.control("fault", endpoint="pckcerts", kind=kind)
    done = fetch(admin, pcs, named(fleet, "client-1"))
    assert done.status == 1, done
    assert not (admin.folder / "platform_collaterals.json").exists()
    if kind in ("tamper", "wrong-signer"):
        assert "SECURITY" in done.err, done


@pytest.mark.parametrize("endpoint,member", [("identity-qe", "qeidentity"), ("tcb-tdx", None),
                                             ("pckcrl", None), ("rootcrl", "rootcacrl")])
def test_a_forged_item_fails_the_run_and_is_left_out(admin, pcs, fleet, endpoint, member):
    pcs.control("fault", endpoint=endpoint, kind="tamper")
    done = fetch(admin, pcs, named(fleet, "tdx-single"))
    assert done.status == 1, done
    collaterals = admin.read("platform_collaterals.json")["collaterals"]
    if member:
        assert collaterals[member] == ""
    if endpoint == "pckcrl":
        assert collaterals["pckcacrl"] == {}
    if endpoint == "tcb-tdx":
        assert all("tdx_tcbinfo" not in entry for entry in collaterals["tcbinfos"])


def test_without_tcb_info_a_platform_fails_but_the_list_only_warns(admin, pcs, fleet):
    platform, = named(fleet, "client-1")
    other, = named(fleet, "e3-1")
    pcs.control("fault", endpoint="tcb-sgx", kind="status", status=404, match=platform["fmspc"])
    done = fetch(admin, pcs, [other])
    assert done.status == 0 and f"Intel lists FMSPC {platform['fmspc']}" in done.err, done
    done = fetch(admin, pcs, [platform, other], "--overwrite")
    assert done.status == 1, done
    assert platform["fmspc"] in admin.read("failed_platforms.json")[0]["reason"]
    file = admin.read("platform_collaterals.json")
    assert [row["qe_id"] for row in file["platforms"]] == [other["qe_id"]]


def test_a_wrong_key_is_explained(admin, tmp_path, fleet):
    with Simulator(tmp_path / "keyed", "--require-key") as keyed:
        done = fetch(admin, keyed, named(fleet, "client-1"))
        assert done.status == 1 and "PCS_API_KEY" in done.err, done
        admin.write("key", "secret-key-of-mine\n")
        done = fetch(admin, keyed, named(fleet, "client-1"),
                     environment={"PCS_API_KEY_FILE": str(admin.folder / "key")})
        assert done.status == 0, done
        assert "secret-key-of-mine" not in done.out + done.err


def test_a_pcs_that_is_not_there_is_given_up_soon(admin, fleet):
    admin.write("platform_list.json", rows(*fleet) * 50)
    started = time.monotonic()
    done = admin.run("fetch", "-u", "http://127.0.0.1:9/sgx/certification/v4/", "--retries", 0)
    assert done.status == 1 and "could not be reached" in done.err, done
    assert time.monotonic() - started < 10
    assert os.listdir(admin.folder) == ["platform_list.json"]


def test_plain_http_beyond_loopback_is_refused(admin):
    admin.write("platform_list.json", [])
    done = admin.run("fetch", "-u", "http://192.0.2.1/sgx/certification/v4/")
    assert done.status == 1 and "loopback" in done.err, done


def test_intels_root_refuses_the_simulator(admin, pcs, fleet):
    admin.write("platform_list.json", rows(fleet[0]))
    done = admin.run("fetch", "-u", pcs.uri, "--retries", 0)
    assert done.status == 1 and "SECURITY" in done.err, done


def test_tcb_info_of_another_fmspc_fails_the_platform(admin, pcs, fleet):
    pcs.control("fault", endpoint="tcb-sgx", kind="mismatch")
    done = fetch(admin, pcs, named(fleet, "client-1"))
    assert done.status == 1 and "SECURITY" in done.err, done
    assert not (admin.folder / "platform_collaterals.json").exists()


class SecureSimulator(Simulator):
    """One that speaks TLS only."""

    def request(self, method, path, body=None, headers=None):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, context=context)
        with contextlib.closing(connection):
            connection.request(method, path, body, headers or {})
            reply = connection.getresponse()
            return Answer(reply.status, reply.getheaders(), reply.read())


def test_an_untrusted_tls_certificate_names_the_option(admin, tmp_path, fleet):
    with SecureSimulator(tmp_path / "tls", "--tls") as secure:
        admin.write("platform_list.json", rows(fleet[0]))
        uri = f"https://127.0.0.1:{secure.port}{V4}/"
        done = admin.run("fetch", "-u", uri, "--trust-anchor", secure.root)
        assert done.status == 1 and "--upstream-ca" in done.err, done
        ca = next((tmp_path / "tls").rglob("tls_ca.pem"))
        done = admin.run("fetch", "-u", uri, "--trust-anchor", secure.root, "--upstream-ca", ca)
        assert done.status == 0, done


def test_overwriting_needs_a_word(admin, pcs, fleet):
    admin.write("platform_collaterals.json", "precious")
    done = fetch(admin, pcs, [fleet[0]])
    assert done.status == 1 and "--overwrite" in done.err, done
    assert (admin.folder / "platform_collaterals.json").read_text() == "precious"
    done = fetch(admin, pcs, [{**fleet[0], "enc_ppid": ""}], "--overwrite")
    assert done.status == 1
    assert (admin.folder / "platform_collaterals.json").read_text() == "precious"
    assert fetch(admin, pcs, [fleet[0]], "--yes").status == 0


def test_an_interrupted_fetch_leaves_nothing(admin, tmp_path, fleet):
    with Simulator(tmp_path / "slow", "--delay-ms", "300") as slow:
        admin.write("platform_list.json", rows(*fleet) * 5)
        process = subprocess.Popen(
            [str(program("pccsadmin")), "fetch", "-u", slow.uri, "--trust-anchor", str(slow.root)],
            cwd=admin.folder, env=clean_environment(), stdin=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 20
        while not list(admin.folder.glob("*.tmp")) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert list(admin.folder.glob("*.tmp"))
        process.terminate()
        assert process.wait(20) == -15
        assert os.listdir(admin.folder) == ["platform_list.json"]


# ---- what is written ----

def test_the_file_is_as_intels_tool_writes_it(admin, pcs, fleet):
    good = [platform for platform in fleet if platform["certificates"]]
    done = fetch(admin, pcs, good)
    assert done.status == 0, done
    text = (admin.folder / "platform_collaterals.json").read_text()
    file = json.loads(text)
    assert text == json.dumps(file)
    assert list(file) == ["platforms", "collaterals", "pccsadmin"]
    theirs = Administrator(pcs).file(good)["collaterals"]
    ours = file["collaterals"]
    assert file["platforms"] == rows(*good)
    assert list(ours) == ["version", "pck_certs", "tcbinfos", "pckcacrl", "qeidentity",
                          "tdqeidentity", "qveidentity", "certificates", "rootcacrl",
                          "rootcacrl_cdp"]
    for member in ("version", "pck_certs", "pckcacrl", "qeidentity", "tdqeidentity", "qveidentity",
                   "rootcacrl", "rootcacrl_cdp"):
        assert ours[member] == theirs[member], member
    wanted = {entry["fmspc"]: entry for entry in theirs["tcbinfos"]}
    found = {entry["fmspc"]: entry for entry in ours["tcbinfos"]}
    assert set(found) == set(wanted) and len(found) == len(ours["tcbinfos"])
    for fmspc, entry in found.items():
        assert fmspc == fmspc.upper()
        assert entry["sgx_tcbinfo"] == wanted[fmspc]["sgx_tcbinfo"]
        assert entry.get("tdx_tcbinfo") == wanted[fmspc].get("tdx_tcbinfo")
        assert "sgx_tcbinfo_early" not in entry
    assert set(ours["certificates"]["SGX-PCK-Certificate-Issuer-Chain"]) == {"PROCESSOR",
                                                                             "PLATFORM"}
    about = file["pccsadmin"]
    assert about["platforms"] == len(good) and "rootcacrl" in about["fresh_until"]


def test_each_item_is_asked_once(admin, pcs, fleet):
    platform, = named(fleet, "tdx-single")
    pcs.control("reset-stats")
    raw = [{**platform, "cpu_svn": f"{number:032x}"} for number in range(20)]
    done = fetch(admin, pcs, raw)
    assert done.status == 0, done
    for endpoint, told in pcs.stats()["endpoints"].items():
        assert all(count == 1 for count in told["keys"].values()), (endpoint, told)
    file = admin.read("platform_collaterals.json")
    assert len(file["platforms"]) == 20 and len(file["collaterals"]["pck_certs"]) == 1


def test_early_and_all(admin, pcs, fleet):
    platforms = named(fleet, "client-1", "no-early-1")
    assert fetch(admin, pcs, platforms, "-t", "all").status == 0
    every = admin.read("platform_collaterals.json")["collaterals"]
    early = {entry["fmspc"]: entry for entry in every["tcbinfos"]}
    assert {"sgx_tcbinfo", "sgx_tcbinfo_early"} <= set(early[platforms[0]["fmspc"]])
    assert set(early[platforms[1]["fmspc"]]) == {"fmspc", "sgx_tcbinfo"}
    assert list(every)[-3:] == ["qeidentity_early", "tdqeidentity_early", "qveidentity_early"]
    assert fetch(admin, pcs, platforms, "-t", "early", "--overwrite").status == 0
    only = admin.read("platform_collaterals.json")["collaterals"]
    early = {entry["fmspc"]: entry for entry in only["tcbinfos"]}
    assert "sgx_tcbinfo" not in early[platforms[0]["fmspc"]]
    assert "sgx_tcbinfo" in early[platforms[1]["fmspc"]]
    assert only["qeidentity"] == "" and only["qeidentity_early"]


def test_not_available_certificates_are_listed(admin, pcs, fleet):
    platforms = named(fleet, "e5-gaps", "e5-gaps-double")
    done = fetch(admin, pcs, platforms)
    assert done.status == 0 and "Not available" in done.err, done
    listed = admin.read("not_available.json")
    assert len(listed) == sum(platform["not_available"] for platform in platforms)
    assert set(listed[0]) == set(NAMES) and listed[0]["qe_id"] == ""
    assert all(len(row["pce_svn"]) == 4 and len(row["cpu_svn"]) == 32 for row in listed)
    done = fetch(admin, pcs, platforms, "--not-available", "na.json", "--overwrite")
    assert admin.read("na.json") == listed


def test_version_3(admin, pcs, fleet):
    admin.write("platform_list.json", rows(*named(fleet, "client-1")))
    done = admin.run("fetch", "-u", pcs.uri.replace("/v4/", "/v3/"), "--trust-anchor", pcs.root)
    assert done.status == 0, done
    collaterals = admin.read("platform_collaterals.json")["collaterals"]
    assert collaterals["version"] == 3 and collaterals["tdqeidentity"] == ""
    assert all("tcbinfo" in entry for entry in collaterals["tcbinfos"])
    assert collaterals["certificates"]["SGX-TCB-Info-Issuer-Chain"]


def test_crls_only(admin, pcs, start_service):
    done = admin.fetch(pcs, "-c", "-o", "crls.json")
    assert done.status == 0, done
    file = admin.read("crls.json")
    collaterals = file["collaterals"]
    assert file["platforms"] == collaterals["pck_certs"] == collaterals["tcbinfos"] == []
    assert collaterals["qeidentity"] == collaterals["qveidentity"] == ""
    assert set(collaterals["pckcacrl"]) == {"processorCrl", "platformCrl"}
    service = start_service(pcs.configuration() | {"CachingFillMode": "OFFLINE"})
    assert admin.put(service, "-i", "crls.json").status == 0
    for ca, name in (("processor", "processorCrl"), ("platform", "platformCrl")):
        answer = service.get(f"{V4}/pckcrl?ca={ca}")
        assert answer.status == 200 and answer.text == collaterals["pckcacrl"][name]
    assert service.get(f"{V4}/rootcacrl").text == collaterals["rootcacrl"]


def test_retry_after_is_honoured(admin, pcs, fleet):
    pcs.control("fault", endpoint="pckcerts", kind="status", status=429, retry_after=2, count=1)
    admin.write("platform_list.json", rows(*named(fleet, "client-1")))
    started = time.monotonic()
    done = admin.fetch(pcs)
    assert done.status == 0 and time.monotonic() - started > 2, done


def test_a_signature_goes_along(admin, pcs, fleet, offline):
    subprocess.run("openssl genpkey -algorithm ed25519 -out k.pem && "
                   "openssl pkey -in k.pem -pubout -out pub.pem && "
                   "openssl genpkey -algorithm ed25519 | openssl pkey -pubout -out other.pem",
                   shell=True, cwd=admin.folder, check=True, capture_output=True)
    done = fetch(admin, pcs, [fleet[0]], "--sign", "k.pem")
    assert done.status == 0, done
    subprocess.run(["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", "pub.pem", "-rawin", "-in",
                    "platform_collaterals.json", "-sigfile", "platform_collaterals.json.sig"],
                   cwd=admin.folder, check=True, capture_output=True)
    done = admin.put(offline, "--verify-key", "other.pem")
    assert done.status == 1 and "nothing was sent" in done.err, done
    path = admin.folder / "platform_collaterals.json"
    path.write_text(path.read_text() + " ")
    done = admin.put(offline, "--verify-key", "pub.pem")
    assert done.status == 1 and "nothing was sent" in done.err, done
    assert fetch(admin, pcs, [fleet[0]], "--sign", "absent.pem", "--overwrite").status == 1


# ---- the round trip ----

def test_the_air_gapped_round_trip(admin, pcs, fleet, start_service):
    service = start_service(pcs.configuration() | {"CachingFillMode": "OFFLINE"})
    good = [platform for platform in fleet if platform["expected_tcbm"]]
    for platform in good:
        assert register(service, platform).status == 200
        assert service.get(pckcert_path(platform)).status == 461
    assert admin.get(service).status == 0
    assert admin.fetch(pcs).status == 0
    done = admin.put(service)
    assert done.status == 0, done
    for platform in good:
        # what was registered with a manifest has no raw TCB in the list: selected when asked
        answer = service.get(pckcert_path(platform))
        assert answer.status == 200, (platform["name"], answer)
        assert answer.header("SGX-TCBm") == platform["expected_tcbm"]
        assert service.get(f"{V4}/tcb?fmspc={platform['fmspc']}").status == 200
        if platform["tdx"]:
            assert service.get(f"{TDX}/tcb?fmspc={platform['fmspc']}").status == 200
    for path in (f"{V4}/qe/identity", f"{V4}/qve/identity", f"{TDX}/qe/identity",
                 f"{V4}/rootcacrl", f"{V4}/pckcrl?ca=processor", f"{V4}/pckcrl?ca=platform"):
        assert service.get(path).status == 200, path
    assert queue(service, "?source=reg_pending") == []
    assert registration(good[0])


def test_a_thousand_platforms_take_less_than_15_seconds_and_100_megabytes(admin, tmp_path):
    with Simulator(tmp_path / "many", "--generate", "1000", "--generate-fmspcs", "20",
                   "--delay-ms", "50") as many:
        fleet = [platform for platform in many.fleet() if platform["name"].startswith("gen-")]
        admin.write("platform_list.json", rows(*fleet))
        many.control("reset-stats")
        started = time.monotonic()
        done = subprocess.run(
            ["/usr/bin/python3", "-c",
             "import resource, subprocess, sys\n"
             "done = subprocess.run(sys.argv[1:])\n"
             "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)\n"
             "sys.exit(done.returncode)",
             str(program("pccsadmin")), "fetch", "-u", many.uri, "--trust-anchor", str(many.root),
             "-q"], cwd=admin.folder, env=clean_environment(), capture_output=True, text=True,
            timeout=120)
        seconds = time.monotonic() - started
        assert done.returncode == 0, done
        assert many.count("pckcerts") == 1000
        if "san" not in os.environ.get("PCCS_BUILD_DIR", ""):  # the sanitizers take their time
            assert seconds < 15
            assert int(done.stdout) < 100 * 1024
    assert len(admin.read("platform_collaterals.json")["collaterals"]["pck_certs"]) == 1000


# ---- what Intel's tools write ----

def test_a_file_as_intels_tool_writes_it_goes_through_put_and_verify(admin, pcs, fleet,
                                                                     start_service):
    """Null manifests, the CSV's name, one FMSPC twice in different case, only the chains met."""
    service = start_service(pcs.configuration() | {"CachingFillMode": "OFFLINE"})
    platform, = named(fleet, "client-1")
    file = Administrator(pcs).file([platform])
    collaterals = file["collaterals"]
    for row in (*file["platforms"], *collaterals["pck_certs"]):
        row["platform_manifest"] = None
    file["platforms"][0]["pckid_filename"] = "rack-1"
    twin = {**collaterals["tcbinfos"][0], "fmspc": platform["fmspc"].lower()}
    collaterals["tcbinfos"].append(twin)
    chains = collaterals["certificates"]["SGX-PCK-Certificate-Issuer-Chain"]
    del chains["PLATFORM"]
    admin.write("platform_collaterals.json", file)
    done = admin.run("verify", "platform_collaterals.json", "--trust-anchor", pcs.root, "--json")
    assert done.status == 0 and done.json()["not_judged"] == 1, done
    done = admin.put(service)
    assert done.status == 0 and "warning" in done.err, done  # one list without its issuer chain
    assert service.get(pckcert_path(platform)).status == 200


def test_a_list_as_intels_tools_write_it_goes_through_fetch(admin, pcs, fleet):
    """From collect: lower case, null manifests, a seventh member; not_available.json: no QE ID."""
    single, double = named(fleet, "client-1", "e5-double")
    listed = [{**{name: single[name].lower() for name in NAMES}, "platform_manifest": None,
               "pckid_filename": "a"},
              {"enc_ppid": "", "platform_manifest": double["platform_manifest"].lower(),
               "qe_id": double["qe_id"], "pce_id": double["pce_id"], "cpu_svn": "", "pce_svn": ""}]
    admin.write("platform_list.json", listed)
    assert admin.fetch(pcs).status == 0
    file = admin.read("platform_collaterals.json")
    assert file["platforms"] == listed
    assert file["collaterals"]["pck_certs"][0]["platform_manifest"] is None
    nameless = {**rows(single)[0], "qe_id": ""}
    admin.write("na.json", [nameless])
    done = admin.fetch(pcs, "-i", "na.json", "--overwrite")
    assert done.status == 1 and "qe_id is missing" in done.err, done
