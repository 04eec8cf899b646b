# SPDX-License-Identifier: BSD-3-Clause
"""pcs-sim from outside: signatures judged by Python's cryptography and by `openssl verify`, faults
as a client meets them, restarts, the end by SIGTERM. Usage: check_pcs_sim.py PATH-OF-PCS-SIM
"""
import http.client
import json
import os
import signal
import ssl
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.parse

try:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, utils
except ImportError:
    sys.exit(77)  # skipped: python3-cryptography is not installed

PROGRAM = sys.argv.pop(1)
V4 = "/sgx/certification/v4/"
END = "-----END CERTIFICATE-----\n"


class Simulator:
    """One running pcs-sim."""

    def __init__(self, state, *options):
        self.process = subprocess.Popen([PROGRAM, "--state", state, *options],
                                        stdout=subprocess.PIPE, text=True)
        self.text = ""
        for line in self.process.stdout:
            self.text += line
            if line.startswith("pcs-sim ready on "):
                self.url = line.split()[-1]
                return
        raise AssertionError("no ready line: " + self.text)

    def ask(self, path, body=None, headers=None):
        netloc = urllib.parse.urlsplit(self.url).netloc
        connection = http.client.HTTPConnection(netloc, timeout=10)
        try:
            connection.request("POST" if body is not None else "GET", path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def order(self, **order):
        status, _, body = self.ask("/sim/control", json.dumps(order))
        assert status == 200, body
        return json.loads(body)

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(10)
        self.process.stdout.close()
        return code


def certificates(encoded):
    pem = urllib.parse.unquote(encoded)
    return [x509.load_pem_x509_certificate((one + END).encode()) for one in pem.split(END)[:-1]]


def issued_by(certificate, issuer):
    issuer.public_key().verify(certificate.signature, certificate.tbs_certificate_bytes,
                               ec.ECDSA(hashes.SHA256()))


def inner_verified(body, name, chain_header, root):
    """The inner object of a signed answer, after its signature and chain were judged."""
    signer, issuer = certificates(chain_header)
    assert issuer == root
    issued_by(signer, root)
    prefix = ('{"%s":' % name).encode()
    assert body.startswith(prefix)
    inner = body[len(prefix):body.rindex(b',"signature":"')]
    raw = bytes.fromhex(json.loads(body)["signature"])
    assert len(raw) == 64
    r, s = (int.from_bytes(half, "big") for half in (raw[:32], raw[32:]))
    signer.public_key().verify(utils.encode_dss_signature(r, s), inner, ec.ECDSA(hashes.SHA256()))
    return json.loads(inner)


class PcsSim(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.sim = Simulator(cls.folder.name, "--generate", "100")
        with open(cls.folder.name + "/root.pem", "rb") as file:
            cls.root = x509.load_pem_x509_certificate(file.read())

    @classmethod
    def tearDownClass(cls):
        cls.sim.end()
        cls.folder.cleanup()

    def setUp(self):
        self.sim.order(action="reset")

    def test_every_tcb_info_verifies_in_both_layouts(self):
        _, _, listed = self.sim.ask(V4 + "fmspcs")
        for row in json.loads(listed):
            for version, header, layout in ((4, "TCB-Info-Issuer-Chain", 3),
                                            (3, "SGX-TCB-Info-Issuer-Chain", 2)):
                path = "/sgx/certification/v%d/tcb?fmspc=%s" % (version, row["fmspc"])
                status, headers, body = self.sim.ask(path)
                self.assertEqual(status, 200)
                self.assertEqual(headers["Content-Type"], "application/json")
                inner = inner_verified(body, "tcbInfo", headers[header], self.root)
                self.assertEqual(inner["version"], layout)
                self.assertEqual(inner["fmspc"], row["fmspc"])

    def test_identities_and_numbers_verify(self):
        for path, name in ((V4 + "qe/identity", "QE"), (V4 + "qve/identity", "QVE"),
                           (V4 + "qae/identity", "QAE"),
                           ("/tdx/certification/v4/qe/identity", "TD_QE")):
            _, headers, body = self.sim.ask(path)
            chain = headers["SGX-Enclave-Identity-Issuer-Chain"]
            self.assertEqual(inner_verified(body, "enclaveIdentity", chain, self.root)["id"], name)
        _, headers, body = self.sim.ask(V4 + "tcbevaluationdatanumbers")
        chain = headers["TCB-Evaluation-Data-Numbers-Issuer-Chain"]
        inner = inner_verified(body, "tcbEvaluationDataNumbers", chain, self.root)
        numbers = [row["tcbEvaluationDataNumber"] for row in inner["tcbEvalNumbers"]]
        self.assertEqual(numbers, [18, 17, 16])

    def test_a_tampered_answer_does_not_verify(self):
        for kind in ("tamper", "wrong-signer"):
            self.sim.order(action="fault", endpoint="tcb-sgx", kind=kind, count=1)
            _, headers, body = self.sim.ask(V4 + "tcb?fmspc=00906EA10000")
            with self.assertRaises(Exception):
                inner_verified(body, "tcbInfo", headers["TCB-Info-Issuer-Chain"], self.root)

    def fetch(self, platform):
        if platform["platform_manifest"]:
            body = json.dumps({"platformManifest": platform["platform_manifest"],
                               "pceid": platform["pce_id"]})
            return self.sim.ask(V4 + "pckcerts", body, {"Content-Type": "application/json"})
        return self.sim.ask("%spckcerts?encrypted_ppid=%s&pceid=%s" % (
            V4, platform["enc_ppid"], platform["pce_id"]))

    def test_every_platform_gets_its_certificates(self):
        for platform in json.loads(self.sim.ask("/sim/fleet")[2])[:40]:
            status, headers, body = self.fetch(platform)
            self.assertEqual((status, headers["SGX-FMSPC"]), (200, platform["fmspc"]))
            ca, root = certificates(headers["SGX-PCK-Certificate-Issuer-Chain"])
            self.assertEqual(root, self.root)
            issued_by(ca, root)
            entries = json.loads(body)
            given = [entry for entry in entries if entry["cert"] != "Not available"]
            self.assertEqual(len(entries) - len(given), platform["not_available"])
            for entry in given:
                issued_by(certificates(entry["cert"])[0], ca)

    def test_openssl_verifies_a_leaf_with_both_crls(self):
        platform = json.loads(self.sim.ask("/sim/fleet")[2])[0]
        status, headers, leaf = self.sim.ask(
            "%spckcert?encrypted_ppid=%s&cpusvn=%s&pcesvn=%s&pceid=0000" % (
                V4, platform["enc_ppid"], platform["cpu_svn"], platform["pce_svn"]))
        self.assertEqual((status, headers["SGX-TCBm"]), (200, platform["expected_tcbm"]))
        with tempfile.TemporaryDirectory() as folder:
            def path(name, content):
                with open(os.path.join(folder, name), "wb") as file:
                    file.write(content)
                return os.path.join(folder, name)
            root_crl = subprocess.run(["openssl", "crl", "-inform", "DER"], check=True,
                                      input=self.sim.ask("/IntelSGXRootCA.der")[2],
                                      stdout=subprocess.PIPE).stdout
            crls = self.sim.ask(V4 + "pckcrl?ca=processor")[2] + root_crl
            chain = urllib.parse.unquote(headers["SGX-PCK-Certificate-Issuer-Chain"]).encode()
            subprocess.run(["openssl", "verify", "-x509_strict", "-crl_check_all",
                            "-CAfile", self.folder.name + "/root.pem",
                            "-CRLfile", path("crls.pem", crls),
                            "-untrusted", path("chain.pem", chain), path("leaf.pem", leaf)],
                           check=True, stdout=subprocess.DEVNULL)

    def test_drop_and_truncate_break_the_connection(self):
        self.sim.order(action="fault", endpoint="tcb-sgx", kind="drop", count=1)
        with self.assertRaises(http.client.RemoteDisconnected):
            self.sim.ask(V4 + "tcb?fmspc=00906EA10000")
        self.sim.order(action="fault", endpoint="tcb-sgx", kind="truncate", count=1)
        with self.assertRaises(http.client.IncompleteRead):
            self.sim.ask(V4 + "tcb?fmspc=00906EA10000")
        self.assertEqual(self.sim.ask(V4 + "tcb?fmspc=00906EA10000")[0], 200)

    def test_a_delay_holds_back_one_answer_and_no_other(self):
        self.sim.order(action="fault", endpoint="tcb-sgx", kind="delay", delay_ms=300, count=1)
        netloc = urllib.parse.urlsplit(self.sim.url).netloc
        slow = http.client.HTTPConnection(netloc, timeout=10)
        begun = time.monotonic()
        slow.request("GET", V4 + "tcb?fmspc=00906EA10000")
        time.sleep(0.05)
        self.assertEqual(self.sim.ask(V4 + "qe/identity")[0], 200)
        self.assertLess(time.monotonic() - begun, 0.25)
        self.assertEqual(slow.getresponse().status, 200)
        self.assertGreaterEqual(time.monotonic() - begun, 0.3)
        slow.close()

    def test_a_body_beyond_the_ceiling_is_refused(self):
        status, headers, _ = self.sim.ask("/sim/control", "x" * (64 * 1024 + 1))
        self.assertEqual(status, 413)
        self.assertIn("Request-ID", headers)

    def test_a_restart_on_the_same_port_gives_the_same_bytes(self):
        port = str(urllib.parse.urlsplit(self.sim.url).port)
        with tempfile.TemporaryDirectory() as folder:
            answers = []
            for _ in range(2):
                sim = Simulator(folder, "--port", "0" if not answers else port)
                port = str(urllib.parse.urlsplit(sim.url).port)
                paths = (V4 + "tcb?fmspc=00906EA10000", V4 + "pckcrl?ca=platform&encoding=der",
                         "/IntelSGXRootCA.der", "/sim/root.pem")
                answers.append([sim.ask(path)[2] for path in paths])
                self.assertEqual(sim.end(), 0)
            self.assertEqual(*answers)

    def test_it_ends_at_once_though_an_answer_is_held_back(self):
        with tempfile.TemporaryDirectory() as folder:
            sim = Simulator(folder, "--delay-ms", "60000")
            netloc = urllib.parse.urlsplit(sim.url).netloc
            slow = http.client.HTTPConnection(netloc, timeout=10)
            slow.request("GET", V4 + "fmspcs")
            time.sleep(0.1)
            begun = time.monotonic()
            self.assertEqual(sim.end(), 0)
            self.assertLess(time.monotonic() - begun, 5)
            slow.close()

    def test_tls_is_trusted_through_its_development_ca(self):
        with tempfile.TemporaryDirectory() as folder:
            sim = Simulator(folder, "--tls")
            self.assertIn("UpstreamCaFile", sim.text)
            trust = ssl.create_default_context(cafile=folder + "/tls_ca.pem")
            netloc = urllib.parse.urlsplit(sim.url).netloc
            connection = http.client.HTTPSConnection(netloc, timeout=10, context=trust)
            connection.request("GET", V4 + "fmspcs")
            self.assertEqual(connection.getresponse().status, 200)
            connection.close()
            self.assertEqual(sim.end(), 0)

    def test_wrong_usage_and_trouble_have_their_exit_codes(self):
        for options, code in ((["--bogus"], 2), (["--host", "0.0.0.0"], 2), (["-?"], 0),
                              (["--version"], 0), (["--fleet", "/nonexistent"], 1),
                              (["--state", "/proc/nonexistent"], 1)):
            done = subprocess.run([PROGRAM, *options], stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, timeout=10)
            self.assertEqual(done.returncode, code, options)
            self.assertEqual(done.stderr.count(b"\n"), 1 if code else 0)


if __name__ == "__main__":
    unittest.main()
