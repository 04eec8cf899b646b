# SPDX-License-Identifier: BSD-3-Clause
"""pccsadmin status, doctor and init: what they see, what they say, what they leave alone."""
import json
import os
import subprocess

import pytest

from admin import Admin
from clients import Administrator, queue, synthetic_platform
from harness import (ADMIN_TOKEN, BUILD, ROOT, V4, Program, Service, Simulator, clean_environment,
                     program, sha512)

STRONG = {"PCCS_ADMIN_TOKEN": "Admin-token-1234", "PCCS_USER_TOKEN": "User-token-5678"}


@pytest.fixture
def admin(tmp_path):
    folder = tmp_path / "admin"
    folder.mkdir()
    return Admin(folder)


def status(admin, service, *arguments, token=ADMIN_TOKEN):
    return admin.run("status", "-u", f"https://localhost:{service.port}", "--ca",
                     service.folder / "ssl_key" / "ca.crt", *arguments,
                     environment={"PCCS_ADMIN_TOKEN": token})


# ---- status ----

def test_status_tells_platforms_items_and_queue(admin, simulator, fleet, start_service):
    simulator.control("reset")
    service = start_service(simulator.configuration() | {"CachingFillMode": "OFFLINE"})
    platforms = [one for one in fleet if one["expected_tcbm"] and not one["platform_manifest"]]
    admin.write("file.json", Administrator(simulator).file(platforms))
    assert admin.put(service, "-i", "file.json").status == 0
    for number in range(3):
        service.post_json(f"{V4}/platforms", synthetic_platform(number))
    admin.get(service, "-o", "one.json")
    service.post_json(f"{V4}/platforms", synthetic_platform(7))
    done = status(admin, service, "--json")
    assert done.status == 0, done
    told = done.json()
    assert told["service"]["mode"] == "OFFLINE" and told["service"]["version"]
    assert told["platforms"]["count"] == len(platforms)
    families = {one["fmspc"]: one["platforms"] for one in told["platforms"]["fmspcs"]}
    assert families == {fmspc: sum(one["fmspc"] == fmspc for one in platforms)
                        for fmspc in {one["fmspc"] for one in platforms}}
    assert "UpToDate" in str(told["platforms"]["fmspcs"])
    assert told["queue"] == {"reg": 1, "reg_na": 0, "reg_pending": 3}
    assert all(item["state"] == "fresh" for item in told["items"]) and told["missing"] == 0
    assert len(queue(service)) == 1  # looked at, not taken
    text = status(admin, service).out
    assert "OFFLINE" in text and "1 wait for get" in text and "identity TD QE" in text


def test_status_of_an_empty_service_says_what_is_missing(admin, offline):
    done = status(admin, offline, "--json")
    assert done.status == 0 and done.json()["missing"] == 6, done


def test_status_with_a_wrong_token_is_1(admin, offline):
    done = status(admin, offline, token="other")
    assert done.status == 1 and "PCCS_ADMIN_TOKEN" in done.err, done


def test_status_of_nobody_is_1_and_of_no_url_2(admin):
    environment = {"PCCS_ADMIN_TOKEN": "x"}
    assert admin.run("status", "-u", "https://localhost:1", environment=environment).status == 1
    assert admin.run("status", "-u", "localhost", environment=environment).status == 2


# ---- doctor ----

def doctor(admin, service, *arguments, **more):
    return admin.run("doctor", "-c", service.config_path, *arguments, **more)


def findings(done, check):
    return [one for one in done.json()["findings"] if one["check"] == check]


def test_doctor_finds_a_good_service_good(admin, simulator, tmp_path):
    simulator.control("reset")
    service = Service(tmp_path / "service",
                      simulator.configuration() | {"CachingFillMode": "LAZY"})
    service.make_tls()
    done = doctor(admin, service, "--json")
    assert done.status == 0, done
    assert done.json()["failures"] == 0
    for check in ("configuration", "tokens", "TLS key pair", "TLS names", "permissions", "disk",
                  "store", "PCS", "API key", "clock"):
        assert findings(done, check)[-1]["verdict"] == "ok", (check, done)
    assert findings(done, "trust anchor")[0]["verdict"] == "WARN"
    assert not (service.folder / "pckcache.db").exists()
    assert "FAIL" not in doctor(admin, service).out


def test_doctor_tells_each_trouble_with_its_cure(admin, tmp_path):
    service = Service(tmp_path / "service", {"uri": "http://127.0.0.1:9/sgx/certification/v4/",
                                             "CachingFillMode": "LAZY", "AdminTokenHash": "",
                                             "Typo": 1})
    done = doctor(admin, service, "--json")
    assert done.status == 1, done
    assert findings(done, "PCS")[0]["verdict"] == "FAIL"
    assert findings(done, "TLS key pair")[0]["verdict"] == "FAIL"
    assert "pccsadmin init" in findings(done, "TLS key pair")[0]["cure"]
    assert any("AdminTokenHash" in one["finding"] for one in findings(done, "tokens"))
    assert any("Typo" in one["finding"] for one in findings(done, "configuration"))
    assert all(one["cure"] for one in done.json()["findings"] if one["verdict"] != "ok")


def test_doctor_sees_what_others_may_read(admin, tmp_path):
    service = Service(tmp_path / "service")
    service.make_tls()
    os.chmod(service.folder / "ssl_key" / "private.pem", 0o644)
    done = doctor(admin, service, "--json")
    assert done.status == 1 and findings(done, "permissions")[0]["verdict"] == "FAIL", done


def test_doctor_sees_a_bad_api_key_and_a_wrong_clock(admin, tmp_path):
    with Simulator(tmp_path / "keyed", "--require-key", "--time-shift", "864000") as keyed:
        service = Service(tmp_path / "service",
                          keyed.configuration() | {"CachingFillMode": "LAZY"})
        service.make_tls()
        done = doctor(admin, service, "--json")
        assert done.status == 1, done
        assert any(one["verdict"] == "FAIL" for one in findings(done, "PCS"))
        keyed.control("time-shift", seconds=0)
        service.write(ApiKey="hush-hush-key")
        done = doctor(admin, service, "--json")
        assert findings(done, "API key")[0]["verdict"] == "ok", done
        assert "hush-hush-key" not in done.out + done.err
        keyed.control("fault", endpoint="pckcerts", kind="status", status=401)
        done = doctor(admin, service, "--json")
        assert done.status == 1 and findings(done, "API key")[0]["verdict"] == "FAIL", done


def test_doctor_without_a_configuration_is_1(admin):
    done = admin.run("doctor")
    assert done.status == 1 and "FAIL" in done.out, done
    assert admin.run("doctor", "-c", "absent.json").status == 1


# ---- init ----

def test_init_makes_what_a_first_start_needs(admin):
    done = admin.run("init", "--port", "18081", "--mode", "offline", "--remote",
                     "--name", "pccs.example.org", "--name", "10.1.2.3", environment=STRONG)
    assert done.status == 0, done
    text = (admin.folder / "config" / "default.json").read_text()
    made = json.loads("\n".join(text.splitlines()[1:]))
    assert made["HTTPS_PORT"] == 18081 and made["CachingFillMode"] == "OFFLINE"
    assert made["hosts"] == "0.0.0.0"
    assert made["AdminTokenHash"] == sha512(STRONG["PCCS_ADMIN_TOKEN"])
    assert made["UserTokenHash"] == sha512(STRONG["PCCS_USER_TOKEN"])
    assert STRONG["PCCS_ADMIN_TOKEN"] not in text
    assert (admin.folder / "config" / "default.json").stat().st_mode & 0o777 == 0o600
    shown = subprocess.run(["openssl", "x509", "-in", "ssl_key/file.crt", "-noout", "-ext",
                            "subjectAltName"], cwd=admin.folder, capture_output=True, text=True)
    assert "DNS:pccs.example.org" in shown.stdout and "IP Address:10.1.2.3" in shown.stdout
    checked = subprocess.run([str(program("pccsd")), "--check"], cwd=admin.folder,
                             capture_output=True, text=True)
    assert checked.returncode == 0, checked
    assert admin.run("doctor").status == 0


def test_init_leaves_a_configuration_alone_and_writes_local_json(admin):
    (admin.folder / "config").mkdir()
    kept = admin.write("config/default.json", '{"HTTPS_PORT": 1234}')
    done = admin.run("init", "--yes", environment=STRONG)
    assert done.status == 0, done
    assert kept.read_text() == '{"HTTPS_PORT": 1234}'
    key = (admin.folder / "ssl_key" / "private.pem").read_text()
    done = admin.run("init", environment=STRONG)
    assert done.status == 1 and "local.json" in done.err, done
    done = admin.run("init", "--overwrite", environment=STRONG)
    assert done.status == 0 and "kept" in done.out, done
    assert (admin.folder / "ssl_key" / "private.pem").read_text() == key


def test_init_refuses_weak_tokens_and_bad_values(admin):
    for environment, status_wanted in (({}, 2), ({**STRONG, "PCCS_USER_TOKEN": "short"}, 1),
                                       ({**STRONG, "PCCS_ADMIN_TOKEN": "abcdefghijklmn"}, 1)):
        done = admin.run("init", environment=environment)
        assert done.status == status_wanted, (environment, done)
    for arguments in (["--port", "70000"], ["--mode", "EAGER"]):
        assert admin.run("init", *arguments, environment=STRONG).status == 2
    done = admin.run("init", "--name", "no name", environment=STRONG)
    assert done.status == 1 and "no host name" in done.err, done


def test_what_init_made_starts_and_takes_the_token(admin):
    assert admin.run("init", "--mode", "OFFLINE", environment=STRONG).status == 0
    service = Program([program("pccsd")],
                      clean_environment({"PCCS_HTTPS_PORT": "0", "PCCS_LOG_FILE": "-"}),
                      admin.folder)
    try:
        done = admin.run("status", "-u", f"https://localhost:{service.wait_for_port()}", "--ca",
                         "ssl_key/ca.crt", "--json", environment=STRONG)
        assert done.status == 0 and done.json()["ok"], done
    finally:
        assert service.end() == 0


# ---- the demonstration ----

def test_the_air_gapped_demonstration_is_as_promised():
    done = subprocess.run(["/usr/bin/python3", str(ROOT / "tests" / "demo" / "offline.py")],
                          env=clean_environment({"PCCS_BUILD_DIR": str(BUILD)}),
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0 and "All as promised" in done.stdout, done.stdout[-3000:]
