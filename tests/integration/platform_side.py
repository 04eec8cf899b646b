# SPDX-License-Identifier: BSD-3-Clause
"""Runs PCKIDRetrievalTool on a fake platform, against whatever stands in for a PCCS."""
import http.server
import json
import pathlib
import subprocess
import sys
import threading

from harness import BUILD, ROOT, USER_TOKEN, V4, clean_environment

sys.path.insert(0, str(ROOT / "tests" / "sgx_stub"))
from fake_platform import FakeEfivars, stub_arguments  # noqa: E402

TOOL = BUILD / "src" / "pckid" / "PCKIDRetrievalTool"
PLATFORMS = f"{V4}/platforms"
CA_VARIABLES = ("CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")
DONE, FAILED, WRONG_USAGE, NOT_TAKEN = 0, 1, 2, 3

PPID = "ee" * 384
QE_ID = bytes(range(0xA0, 0xB0)).hex()
CPU_SVN = bytes(range(1, 17)).hex()
PLAIN_CSV = f"{PPID},0000,{CPU_SVN},0d00,{QE_ID}"


def registration_of(csv):
    """The body that Intel's tool sends for a line of CSV, byte for byte."""
    fields = csv.upper().split(",")
    ppid, pce_id, cpu_svn, pce_svn, qe_id = fields[:5]
    manifest = fields[5] if len(fields) > 5 else ""
    members = [("enc_ppid", ppid), ("pce_id", pce_id), ("cpu_svn", cpu_svn), ("pce_svn", pce_svn),
               ("qe_id", qe_id), ("platform_manifest", manifest)]
    if not ppid:
        members = [member for member in members if member[0] in
                   ("pce_id", "qe_id", "platform_manifest")]
    return "{" + " ,".join(f'"{name}": "{value}"' for name, value in members) + " }"


class Server:
    """A fake server: where it runs, its EFI variables, its state folder."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.work = self.folder / "work"
        self.work.mkdir(parents=True)
        self.efivars = FakeEfivars(self.folder / "efivars")
        self.state = self.folder / "state"
        self.csv = self.work / "pckid_retrieval.csv"
        self.environment = {}

    def run(self, *arguments, environment=None, stdin="", tool=TOOL, is_plain=False, **more):
        """Runs the tool; with is_plain without the options that put it on this server."""
        here = [] if is_plain else [*stub_arguments(BUILD, self.efivars.folder),
                                    "--state", str(self.state)]
        kept = {name: value for name, value in clean_environment().items()
                if name not in CA_VARIABLES and not name.startswith("SGX_STUB_")}
        return subprocess.run(
            [str(tool), *here, *map(str, arguments)],
            env={**kept, **self.environment, **(environment or {})},
            cwd=self.work, input=stdin, capture_output=True, text=True, timeout=60, **more)

    def run_json(self, *arguments, **more):
        done = self.run("--json", *arguments, **more)
        answer = json.loads(done.stdout)
        assert answer["exit"] == done.returncode
        return answer

    def copies(self):
        return sorted(self.state.glob("*")) if self.state.exists() else []

    def files(self):
        return sorted(path.name for path in self.work.iterdir())


class FakePccs:
    """Answers POSTs with a script: (status, body) each, the last one again and again."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.requests = []

    def __enter__(self):
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                size = int(self.headers.get("Content-Length", 0))
                outer.requests.append((self.path, dict(self.headers), self.rfile.read(size)))
                answers = outer.answers
                status, body = answers.pop(0) if len(answers) > 1 else answers[0]
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.send_header("Request-ID", "4711")
                if status >= 400:
                    self.send_header("PCCS-Error-Detail", "the reason in detail")
                if 300 <= status < 400:
                    self.send_header("Location", "http://127.0.0.1:1/elsewhere")
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True)
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(10)


TAKES_ALL = ((400, "Invalid request parameters."), (200, "Operation successful."))
TOKEN = {"PCCS_USER_TOKEN": USER_TOKEN}
