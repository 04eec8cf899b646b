# SPDX-License-Identifier: BSD-3-Clause
"""pccsadmin collect, verify and cache: files in, files out, each refusal with its message."""
import json
import os
import pathlib
import struct
import time

import pytest

from admin import Admin
from clients import Administrator

NAMES = ("enc_ppid", "pce_id", "cpu_svn", "pce_svn", "qe_id", "platform_manifest")
REAL_FILE = (pathlib.Path(__file__).resolve().parents[3] / "shared" / "data"
             / "platform_collaterals_sgx_2025.json")


@pytest.fixture
def admin(tmp_path):
    folder = tmp_path / "admin"
    folder.mkdir()
    return Admin(folder)


def csv_line(platform, with_manifest=True):
    values = [platform[name].lower() for name in NAMES]
    return ",".join(values if with_manifest and values[-1] else values[:-1])


def named(fleet, *names):
    found = {platform["name"]: platform for platform in fleet}
    return [found[name] for name in names]


# ---- collect ----

def test_collect_writes_what_intels_tool_writes(admin, fleet):
    single, double = named(fleet, "client-1", "e5-double")
    admin.write("b.csv", csv_line(double))
    admin.write("a.csv", csv_line(single))
    admin.write("ignored.txt", "x")
    done = admin.run("collect")
    assert done.status == 0 and "2 platforms" in done.out, done
    text = (admin.folder / "platform_list.json").read_text()
    rows = json.loads(text)
    assert text == json.dumps(rows)
    assert rows[0] == {**{name: single[name].lower() for name in NAMES},
                       "platform_manifest": None, "pckid_filename": "a"}
    assert rows[1] == {**{name: double[name].lower() for name in NAMES}, "pckid_filename": "b"}
    assert list(rows[0]) == [*NAMES, "pckid_filename"]


def test_collect_takes_platforms_without_enclave(admin, fleet):
    manifest = named(fleet, "e5-double")[0]["platform_manifest"].lower()
    admin.write("cloud.csv", f",0000,,,{b'machine-7'.hex()},{manifest}")
    assert admin.run("collect").status == 0
    assert admin.read("platform_list.json")[0]["enc_ppid"] == ""


def test_collect_names_broken_lines_and_keeps_the_good_ones(admin, fleet):
    good = csv_line(named(fleet, "client-1")[0])
    fields = good.split(",")
    broken = ["no,csv", good + ",,", "zz" + good[2:], fields[0][1:] + good[768:],
              good.replace(fields[1], "00"), ",".join(["", *fields[1:]]),
              ",".join([*fields[:4], ""]), good + ",abc", ",".join([*fields[:2], "1", *fields[3:]])]
    admin.write("all.csv", "\r\n".join([good, *broken, "", good]) + "\r\n")
    done = admin.run("collect", "--json")
    assert done.status == 1, done
    for number in range(2, 2 + len(broken)):
        assert f"all.csv, line {number}:" in done.err, (number, done.err)
    assert done.json()["platforms"] == 2 and done.json()["broken"] == len(broken)
    assert len(admin.read("platform_list.json")) == 2


def test_collect_warns_of_a_ppid_that_says_nothing(admin, fleet):
    line = csv_line({**named(fleet, "client-1")[0], "enc_ppid": "0" * 768})
    admin.write("zero.csv", line)
    done = admin.run("collect")
    assert done.status == 0 and "all zeros" in done.err and "zero.csv, line 1" in done.err, done


def test_collect_of_nothing_is_1(admin):
    assert admin.run("collect").status == 1
    assert admin.run("collect", "-d", "absent").status == 1
    admin.write("empty.csv", "")
    admin.write("bad.csv", "x")
    done = admin.run("collect")
    assert done.status == 1 and "nothing was written" in done.err, done
    assert not (admin.folder / "platform_list.json").exists()


def test_collect_overwrites_nothing_unasked(admin, fleet):
    admin.write("a.csv", csv_line(fleet[0]))
    admin.write("platform_list.json", "precious")
    done = admin.run("collect")
    assert done.status == 1 and "--overwrite" in done.err
    assert (admin.folder / "platform_list.json").read_text() == "precious"
    assert admin.run("collect", "--overwrite").status == 0


# ---- verify ----

def test_verify_finds_the_real_file_authentic_and_expired(admin):
    if not REAL_FILE.exists():
        pytest.skip("shared/data is not here")
    done = admin.run("verify", REAL_FILE)
    assert done.status == 0 and "EXPIRED" in done.out and "0 forged" in done.out, done


def test_verify_by_intels_root_refuses_a_simulators_file(admin, simulator, fleet):
    simulator.control("reset")
    admin.write("file.json", Administrator(simulator).file(fleet[:1]))
    done = admin.run("verify", "file.json", "--json")
    told = done.json()
    assert done.status == 1 and told["verdict"] == "forged" and told["authentic"] == 0
    done = admin.run("verify", "-i", "file.json", "--trust-anchor", simulator.root)
    assert done.status == 0, done
    done = admin.run("verify", "file.json",
                     environment={"PCCS_TRUST_ANCHORS": str(simulator.root)})
    assert done.status == 0, done


@pytest.mark.parametrize("member", ["qeidentity", "rootcacrl", "pck_certs", "tcbinfos", "pckcacrl"])
def test_verify_names_the_forged_item(admin, simulator, fleet, member):
    simulator.control("reset")
    file = Administrator(simulator).file(named(fleet, "tdx-single"))
    collaterals = file["collaterals"]
    if member == "qeidentity":
        collaterals[member] = collaterals[member].replace("UpToDate", "Revoked", 1)
    elif member == "rootcacrl":
        collaterals[member] = collaterals[member][:-2] + "ff"
    elif member == "pckcacrl":
        collaterals[member]["platformCrl"] = collaterals[member]["platformCrl"][:-2] + "ff"
    elif member == "tcbinfos":
        collaterals[member][0]["sgx_tcbinfo"]["tcbInfo"]["tcbEvaluationDataNumber"] += 1
    else:
        certs = collaterals[member][0]["certs"]
        certs[0]["tcbm"], certs[1]["tcbm"] = certs[1]["tcbm"], certs[0]["tcbm"]
    admin.write("file.json", file)
    done = admin.run("verify", "file.json", "--trust-anchor", simulator.root)
    assert done.status == 1 and "FORGED" in done.out and "SECURITY" in done.err, done
    assert "1 forged" in done.out


def test_verify_of_what_is_no_file_is_1(admin):
    for text in ("", "{}", "[]", '{"collaterals": {"version": 4}}'):
        admin.write("file.json", text)
        done = admin.run("verify", "file.json")
        assert done.status == 1 and "file.json" in done.err, (text, done)
    assert admin.run("verify", "absent.json").status == 1
    assert admin.run("verify", "a.json", "b.json").status == 2


# ---- cache ----

def records(content):
    version, kind, expiry = struct.unpack_from("<HIQ", content)
    at, found = 14, []
    while at < len(content):
        size, = struct.unpack_from("<I", content, at)
        found.append(content[at + 4:at + 4 + size])
        at += 4 + size
    assert at == len(content)
    return version, kind, expiry, found


def test_cache_files_are_byte_exact(admin, simulator, fleet):
    simulator.control("reset")
    single, gaps = named(fleet, "client-1", "e5-gaps")
    rows = [{name: platform[name] for name in NAMES} for platform in (single, gaps)]
    rows[1]["pckid_filename"] = "rack-7"
    admin.write("platform_list.json", rows)
    done = admin.pcs(simulator, "cache", "-e", "24")
    assert done.status == 0, done
    for platform, folder in ((single, "cache"), (gaps, "cache/rack-7")):
        name = f"{platform['qe_id']}_{platform['pce_id']}".lower()
        content = (admin.folder / folder / name).read_bytes()
        version, kind, expiry, found = records(content)
        answer = simulator.request("GET", f"/sgx/certification/v4/pckcerts?encrypted_ppid="
                                   f"{platform['enc_ppid']}&pceid={platform['pce_id']}")
        certificates = [entry for entry in answer.json() if entry["cert"] != "Not available"]
        tcb = simulator.request("GET", f"/sgx/certification/v4/tcb?fmspc={platform['fmspc']}")
        wanted = [platform["cpu_svn"].encode(), tcb.body,
                  answer.header("SGX-PCK-Certificate-Issuer-Chain").encode(),
                  json.dumps(certificates).encode()]
        assert (version, kind) == (1, 4) and abs(expiry - time.time() - 86400) < 60
        assert found == wanted
        assert content == struct.pack("<HIQ", 1, 4, expiry) + b"".join(
            struct.pack("<I", len(part)) + part for part in wanted)


def test_cache_without_cpu_svn_has_the_name_of_zeros_once(admin, simulator, fleet):
    simulator.control("reset")
    rows = [{**{name: platform[name] for name in NAMES}, "cpu_svn": "", "pce_svn": ""}
            for platform in named(fleet, "e5-double", "tdx-double")]
    admin.write("platform_list.json", rows)
    done = admin.pcs(simulator, "cache", "-o", "out")
    assert done.status == 1 and "another platform" in done.err, done
    assert os.listdir(admin.folder / "out") == ["0000000000000000_0000"]
    found = records((admin.folder / "out" / "0000000000000000_0000").read_bytes())[3]
    assert found[0] == b"f" * 32
    done = admin.pcs(simulator, "cache", "-o", "sub", "-s")
    assert done.status == 0, done
    assert sorted(os.listdir(admin.folder / "sub")) == sorted(row["qe_id"] for row in rows)


def test_cache_takes_early_tcb_info_or_the_standard_one(admin, simulator, fleet):
    simulator.control("reset")
    for platform, update in zip(named(fleet, "client-1", "no-early-1"), ("early", "standard")):
        admin.write("platform_list.json", [{name: platform[name] for name in NAMES}])
        assert admin.pcs(simulator, "cache", "-t", "early").status == 0
        name = f"{platform['qe_id']}_{platform['pce_id']}".lower()
        tcb = simulator.request("GET", f"/sgx/certification/v4/tcb?fmspc={platform['fmspc']}"
                                f"&update={update}")
        assert records((admin.folder / "cache" / name).read_bytes())[3][1] == tcb.body


def test_cache_refuses_names_that_leave_the_folder(admin, simulator, fleet):
    simulator.control("reset")
    row = {name: fleet[0][name] for name in NAMES}
    admin.write("platform_list.json", [{**row, "pckid_filename": "../up"},
                                       {**row, "qe_id": "../../etc"}])
    done = admin.pcs(simulator, "cache")
    assert done.status == 1 and "no file name" in done.err, done
    assert not (admin.folder.parent / "up").exists()


def test_cache_of_one_broken_platform_does_the_others(admin, simulator, fleet):
    simulator.control("reset")
    good, bad = ({name: platform[name] for name in NAMES}
                 for platform in named(fleet, "client-1", "e5-double"))
    admin.write("platform_list.json", [{**bad, "platform_manifest": ""}, good])
    done = admin.pcs(simulator, "cache")
    assert done.status == 1 and "SGX Factory Reset" in done.err, done
    assert len(os.listdir(admin.folder / "cache")) == 1


def test_cache_wrong_usage_is_2(admin, simulator):
    admin.write("platform_list.json", [])
    for arguments in (["-e", "8761"], ["-e", "-1"], ["-e", "x"], ["-t", "all"]):
        assert admin.pcs(simulator, "cache", *arguments).status == 2, arguments
