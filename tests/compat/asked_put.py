# SPDX-License-Identifier: BSD-3-Clause
"""Uploads of platform collaterals: a valid file, and that file with one thing changed at a time."""
import copy
import json
import urllib.parse

from clients import Administrator
from harness import V3, V4

VALUES = (None, "", 0, True, [], {}, "x", "zz", " ", [None], ["x"])
ABSENT = object()


def paths_of(value, path=()):
    """Every member and every first element, depth first; signed texts are not taken apart."""
    if path:
        yield path
    if isinstance(value, dict):
        for name in value:
            if len(path) < 2 or path[-1] != "tcb" or name in ("sgxtcbcomp01svn", "pcesvn"):
                yield from paths_of(value[name], (*path, name))
    elif isinstance(value, list) and value:
        yield from paths_of(value[0], (*path, 0))


def with_change(file, path, value):
    changed = copy.deepcopy(file)
    inner = changed
    for step in path[:-1]:
        inner = inner[step]
    if value is ABSENT:
        del inner[path[-1]]
    else:
        inner[path[-1]] = value
    return changed


def at(file, path):
    for step in path:
        file = file[step]
    return file


def words_of(path):
    return "/".join(str(step) for step in path)


def changes_everywhere(file):
    for path in paths_of(file):
        yield f"{words_of(path)} absent", with_change(file, path, ABSENT)
        for value in VALUES:
            yield f"{words_of(path)} = {json.dumps(value)}", with_change(file, path, value)
        old = at(file, path)
        if isinstance(old, str) and old:
            for word, value in (("lower", old.lower()), ("upper", old.upper()),
                                ("a character less", old[:-1]), ("a character more", old + "0"),
                                ("blank after", old + " "), ("newline after", old + "\n")):
                yield f"{words_of(path)} {word}", with_change(file, path, value)
        elif isinstance(old, int):
            for value in (-1, 255, 256, 65535, 65536, 1.0, 1.5, str(old)):
                yield f"{words_of(path)} = {json.dumps(value)}", with_change(file, path, value)
        elif isinstance(old, dict):
            yield f"{words_of(path)} with another member", with_change(file, path, {**old, "x": 1})
        elif isinstance(old, list):
            yield f"{words_of(path)} doubled", with_change(file, path, old + old)
            yield f"{words_of(path)} without the first", with_change(file, path, old[1:])


CHAINS = ("SGX-PCK-Certificate-Issuer-Chain", "TCB-Info-Issuer-Chain",
          "SGX-Enclave-Identity-Issuer-Chain")


def changes_by_hand(file):
    """What a tool or a hand might make of a file."""
    collaterals = file["collaterals"]
    pck = collaterals["pck_certs"][0]

    def collateral(**members):
        return {**file, "collaterals": {**collaterals, **members}}

    def certs(value, index=0):
        entries = list(collaterals["pck_certs"])
        entries[index] = {**entries[index], "certs": value}
        return collateral(pck_certs=entries)

    not_available = {**pck["certs"][0], "cert": "Not available"}
    yield "certs empty", certs([])
    yield "all certs Not available", certs([not_available])
    yield "first cert Not available", certs([not_available, *pck["certs"][1:]])
    yield "last cert Not available", certs([*pck["certs"][:-1], {**pck["certs"][-1],
                                                                 "cert": "Not available"}])
    yield "another Not available", certs([*pck["certs"], not_available])
    yield "certs in another order", certs(pck["certs"][::-1])
    yield "one cert only", certs(pck["certs"][-1:])
    yield "certs of another platform", certs(collaterals["pck_certs"][1]["certs"])
    yield "a cert twice", certs([*pck["certs"], pck["certs"][0]])
    yield "cert decoded", certs([{**c, "cert": decoded(c["cert"])} for c in pck["certs"]])
    yield "second entry without certs", certs([], 1)
    yield "no certs, no platforms", {"platforms": [], "collaterals": {**collaterals,
                                                                      "pck_certs": []}}
    yield "platforms empty", {**file, "platforms": []}
    yield "pck_certs empty", collateral(pck_certs=[])
    row = file["platforms"][0]
    for word, change in (("cpu_svn too low", {"cpu_svn": "00" * 16}),
                         ("pce_svn too low", {"pce_svn": "0000"}),
                         ("cpu_svn only", {"pce_svn": ""}), ("pce_svn only", {"cpu_svn": ""}),
                         ("no svns", {"cpu_svn": "", "pce_svn": ""}),
                         ("lower case", {k: (v or "").lower() for k, v in row.items()}),
                         ("null manifest", {"platform_manifest": None}),
                         ("pckid_filename", {"pckid_filename": "x"})):
        yield f"platform with {word}", {**file, "platforms": [{**row, **change},
                                                              *file["platforms"][1:]]}
    yield "a platform without certs", {**file, "platforms": [*file["platforms"],
                                                             {**row, "qe_id": "EE" * 16}]}
    yield "a platform twice", {**file, "platforms": [*file["platforms"], row]}
    yield "two raw TCBs of a platform", {**file, "platforms": [
        *file["platforms"], {**row, "cpu_svn": "FF" * 16}]}
    infos = collaterals["tcbinfos"]
    yield "an FMSPC twice in different case", collateral(
        tcbinfos=[*infos, {**infos[0], "fmspc": infos[0]["fmspc"].lower()}])
    yield "an FMSPC with nothing", collateral(tcbinfos=[*infos, {"fmspc": "AABBCCDDEEFF"}])
    yield "a bad FMSPC with nothing", collateral(tcbinfos=[*infos, {"fmspc": "x"}])
    for name in ("sgx_tcbinfo", "sgx_tcbinfo_early", "tdx_tcbinfo"):
        less = [{k: v for k, v in info.items() if k != name} for info in infos]
        yield f"no {name} at all", collateral(tcbinfos=less)
    only_tdx = [{k: v for k, v in info.items() if not k.startswith("sgx")} for info in infos]
    yield "nothing but TDX", collateral(tcbinfos=only_tdx)
    yield "FMSPC of another", collateral(tcbinfos=[{**infos[0], "fmspc": "AABBCCDDEEFF"},
                                                   *infos[1:]])
    as_text = [{k: v if k == "fmspc" else json.dumps(v, separators=(",", ":"))
                for k, v in info.items()} for info in infos]
    yield "TCB infos as strings", collateral(tcbinfos=as_text)
    chains = collaterals["certificates"]
    for name in list(chains):
        yield f"without {name}", collateral(
            certificates={k: v for k, v in chains.items() if k != name})
    for name in list(chains)[1:]:
        for word, text in chain_changes(chains[name]):
            yield f"{name} {word}", collateral(certificates={**chains, name: text})
    for ca in list(chains[CHAINS[0]]):
        for word, text in chain_changes(chains[CHAINS[0]][ca]):
            yield f"{ca} chain {word}", collateral(
                certificates={**chains, CHAINS[0]: {**chains[CHAINS[0]], ca: text}})
    yield "CRLs swapped", collateral(pckcacrl={
        "processorCrl": collaterals["pckcacrl"]["platformCrl"],
        "platformCrl": collaterals["pckcacrl"]["processorCrl"]})
    for name in ("qeidentity", "tdqeidentity", "qveidentity"):
        yield f"{name} with blanks", collateral(
            **{name: json.dumps(json.loads(collaterals[name]))})
        yield f"{name} as an object", collateral(**{name: json.loads(collaterals[name])})
        for value in (collaterals[name], "", None):
            yield f"{name}_early too, {str(value)[:5]!r}", collateral(**{f"{name}_early": value})
    for version in (3, "4", 4.0, 5):
        yield f"version {version!r}", collateral(version=version)
    skeleton = {"platforms": [], "collaterals": {
        **collaterals, "pck_certs": [], "tcbinfos": [], "qeidentity": "", "tdqeidentity": "",
        "qveidentity": "", "certificates": {CHAINS[0]: {}, CHAINS[1]: "", CHAINS[2]: ""}}}
    yield "CRLs only", skeleton
    yield "compact", json.dumps(file, separators=(",", ":")).encode()
    yield "indented", json.dumps(file, indent=4).encode()
    yield "not ASCII", json.dumps({**file, "é": "\U0001F600"}, ensure_ascii=False).encode()
    yield "cut short", json.dumps(file).encode()[:-1]


def decoded(text):
    return urllib.parse.unquote(text)


def chain_changes(chain):
    half = chain.rfind("-----BEGIN")
    yield "reversed", chain[half:] + chain[:half]
    yield "root only", chain[half:]
    yield "signer only", chain[:half]
    yield "decoded", decoded(chain)
    yield "with CR LF", chain.replace("%0A", "%0D%0A")
    yield "without the last newline", chain.removesuffix("%0A")
    yield "broken escape", chain + "%zz"
    yield "not a certificate", chain.replace("MII", "MIJ", 1)


def put_questions(ask):
    group = "put"
    names = {p["name"]: p for p in ask.fleet}
    chosen = [names["client-1"], names["tdx-double"]]
    for version, base in ((4, V4), (3, V3)):
        file = Administrator(ask.upstream, version).file(chosen)
        yield ask.put(group, f"v{version} valid file", file, base=base)
        if version == 4:
            yield ask.put(group, "v4 file at v3", file, base=V3)
            changes = [*changes_everywhere(file), *changes_by_hand(file)]
        else:
            yield ask.put(group, "v3 file at v4", file, base=V4)
            changes = shallow_changes(file)
        for word, change in changes:
            yield ask.put(group, f"v{version} {word}", change, base=base)
            if version == 4:
                yield ask.put(group, "v4 valid file again", file, base=base)
    yield ask.rows(group, "?source=[]")
    yield ask.put(group, "the fleet's file", ask.file)
    yield ask.rows(group, "?source=[]")


def shallow_changes(file):
    for path in paths_of(file):
        if len(path) <= 3:
            for value in (ABSENT, None, "", {}, []):
                word = "absent" if value is ABSENT else json.dumps(value)
                yield f"{words_of(path)} {word}", with_change(file, path, value)
