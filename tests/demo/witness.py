# SPDX-License-Identifier: BSD-3-Clause
"""An independent witness: proves answers with the openssl command, sharing no code with pccsd.

Each verify_* takes an Answer-like object (status, body, header(name)) and returns until when it is
fresh, as "YYYY-MM-DD"; it raises Refuted with one plain sentence if anything is not proven.
"""
import datetime
import functools
import json
import pathlib
import re
import subprocess
import tempfile
import urllib.parse

PEM = re.compile(rb"-----BEGIN CERTIFICATE-----\n.*?-----END CERTIFICATE-----\n", re.S)
SGX = bytes.fromhex("2a864886f84d010d01")  # 1.2.840.113741.1.13.1, Intel's SGX extension
NEVER = "-"


class Refuted(Exception):
    pass


def openssl(*arguments, stdin=b""):
    done = subprocess.run(["openssl", *arguments], input=stdin, capture_output=True, timeout=30)
    return done.returncode == 0, done.stdout + done.stderr


def ensure(condition, sentence):
    if not condition:
        raise Refuted(sentence)


def iso_date(openssl_line):
    """'nextUpdate=Dec 22 00:00:00 2026 GMT' as 2026-12-22."""
    text = openssl_line.decode().partition("=")[2].strip()
    return datetime.datetime.strptime(text, "%b %d %H:%M:%S %Y GMT").strftime("%Y-%m-%d")


def chain_of(answer, header):
    """The PEM certificates of a chain header, which has the form that every known client takes."""
    value = answer.header(header)
    ensure(value is not None, f"{header} is missing")
    ensure(value.endswith("%0A"), f"{header} does not end in %0A")
    ensure(re.fullmatch(r"[A-Za-z0-9%\-_.!~*'()]+", value), f"{header} is not escaped throughout")
    text = urllib.parse.unquote_to_bytes(value)
    found = PEM.findall(text)
    ensure(b"".join(found) == text and len(found) == 2, f"{header} is not two certificates")
    return tuple(found)


class Witness:
    """Knows one root certificate and believes nothing else."""

    def __init__(self, root_pem):
        self.root = root_pem
        self.folder = tempfile.TemporaryDirectory(prefix="pccs-witness-")
        self.root_path = self._file("root", root_pem)
        self.judge_chain = functools.lru_cache(maxsize=1024)(self._judge_chain)

    def close(self):
        self.folder.cleanup()

    def _file(self, name, data):
        path = pathlib.Path(self.folder.name) / name
        path.write_bytes(data)
        return str(path)

    def _judge_chain(self, *chain):
        """Proves leaf to root; returns the leaf's public key (PEM)."""
        ensure(PEM.search(chain[-1])[0] == PEM.search(self.root)[0],
               "the chain does not end in the root certificate")
        middle = self._file("middle", b"".join(chain[1:]))
        good, said = openssl("verify", "-x509_strict", "-CAfile", self.root_path,
                             "-untrusted", middle, stdin=chain[0])
        ensure(good, f"the chain does not verify: {said.decode(errors='replace').strip()}")
        good, key = openssl("x509", "-noout", "-pubkey", stdin=chain[0])
        ensure(good, "the signer has no readable key")
        return key

    def verify_signed_json(self, answer, member, header):
        """TCB info, identities, evaluation data numbers: the signature over the exact bytes."""
        start = b'{"' + member.encode() + b'":'
        found = re.fullmatch(re.escape(start) + rb'(\{.*\}),"signature":"([0-9a-fA-F]{128})"\}',
                             answer.body, re.S)
        ensure(found, f"the body is not {{\"{member}\":{{...}},\"signature\":\"...\"}}")
        raw = bytes.fromhex(found[2].decode())
        numbers = b"".join(der(2, number) for number in (raw[:32], raw[32:]))
        key = self._file("key", self.judge_chain(*chain_of(answer, header)))
        signature = self._file("signature", tlv(0x30, numbers))
        good, _ = openssl("dgst", "-sha256", "-verify", key, "-signature", signature,
                          stdin=found[1])
        ensure(good, "the signature does not verify")
        return json.loads(found[1])["nextUpdate"][:10]

    def verify_crl(self, crl_der, signer_pem):
        """A CRL by the CA whose certificate is given."""
        issuer = self._file("issuer", signer_pem)
        good, said = openssl("crl", "-inform", "DER", "-CAfile", issuer, "-noout", "-nextupdate",
                             stdin=crl_der)
        ensure(good and b"verify OK" in said, "the CRL does not verify")
        return iso_date(re.search(rb"nextUpdate=.*", said)[0])

    def verify_pck_crl(self, answer, encoding):
        chain = chain_of(answer, "SGX-PCK-CRL-Issuer-Chain")
        self.judge_chain(*chain)
        crl = answer.body
        if encoding == "hex":
            ensure(re.fullmatch(rb"[0-9a-f]+", crl), "the CRL is not lower-case hex")
            crl = bytes.fromhex(crl.decode())
        elif encoding == "pem":
            good, crl = openssl("crl", "-outform", "DER", stdin=crl)
            ensure(good, "the CRL is not PEM")
        return self.verify_crl(crl, chain[0] + chain[1])

    def verify_pck(self, answer, platform):
        """A PCK certificate and the TCB that the fleet expects of it."""
        chain = chain_of(answer, "SGX-PCK-Certificate-Issuer-Chain")
        found = PEM.fullmatch(answer.body)
        ensure(found, "the body is not one PEM certificate")
        self.judge_chain(answer.body, *chain)
        good, leaf = openssl("x509", "-outform", "DER", stdin=answer.body)
        tcbm = answer.header("SGX-TCBm") or ""
        ensure(tcbm.upper() == platform["expected_tcbm"],
               f"SGX-TCBm is {tcbm}, expected {platform['expected_tcbm']}")
        cpusvn, fmspc = bytes.fromhex(tcbm[:32]), bytes.fromhex(platform["fmspc"])
        ensure(good and der(6, SGX + b"\x02\x12") + tlv(4, cpusvn) in leaf,
               "the certificate's CPUSVN is not the one in SGX-TCBm")
        ensure(der(6, SGX + b"\x04") + tlv(4, fmspc) in leaf, "the certificate has another FMSPC")
        ensure(answer.header("SGX-FMSPC") == platform["fmspc"], "SGX-FMSPC is wrong")
        ensure(answer.header("SGX-PCK-Certificate-CA-Type") == platform["ca"], "CA type is wrong")
        good, said = openssl("x509", "-noout", "-enddate", stdin=answer.body)
        return iso_date(said)


def tlv(tag, content):
    assert len(content) < 128
    return bytes([tag, len(content)]) + content


def der(tag, content):
    """tlv; an INTEGER (tag 2) without superfluous zeros and never negative."""
    if tag == 2:
        content = content.lstrip(b"\0") or b"\0"
        content = (b"\0" if content[0] & 0x80 else b"") + content
    return tlv(tag, content)
