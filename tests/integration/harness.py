# SPDX-License-Identifier: BSD-3-Clause
"""Starts the real programs for integration tests, asks them over TLS, ends them by their own id.

A Simulator is pcs-sim in a folder of its own; a Service is pccsd with fresh TLS files, a
configuration made from a dict and a free port. Both are context managers. Standard library only.
"""
import contextlib
import hashlib
import http.client
import json
import os
import pathlib
import queue
import re
import signal
import socket
import ssl
import subprocess
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("PCCS_BUILD_DIR", ROOT / "build"))
USER_TOKEN = "a user token for tests"
ADMIN_TOKEN = "an admin token for tests"
START_SECONDS = 30  # the sanitizers make a start slow
V4 = "/sgx/certification/v4"
V3 = "/sgx/certification/v3"
TDX = "/tdx/certification/v4"


def program(name):
    path = BUILD / "src" / {"pcs-sim": "pcssim"}.get(name, name) / name
    assert path.is_file(), f"{path} is not built; ./dev build does that"
    return path


def sha512(text):
    return hashlib.sha512(text.encode()).hexdigest()


def clean_environment(extra=None):
    """The environment without what would change the programs under test."""
    kept = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith("PCCS_") and key not in ("NODE_ENV", "JOURNAL_STREAM")
        and not key.lower().endswith("_proxy")
    }
    kept.update(extra or {})
    return kept


class Answer:
    """One answer: status, body, and headers by name in any case."""

    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    def header(self, name):
        found = self.all(name)
        return found[0] if found else None

    def all(self, name):
        return [value for key, value in self.headers if key.lower() == name.lower()]

    @property
    def text(self):
        return self.body.decode()

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"<{self.status} {self.headers} {self.body[:200]!r}>"


class Program:
    """A child process whose standard output is watched for the line that says it is ready."""

    def __init__(self, arguments, environment, folder, **options):
        self.log_path = folder / "stderr.log"
        with self.log_path.open("ab") as stderr:
            self.process = subprocess.Popen(
                [str(a) for a in arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=stderr,
                env=environment,
                cwd=folder,
                text=True,
                **options,
            )
        self.lines = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.put(line.rstrip("\n"))
        self.lines.put(None)

    def wait_for_port(self):
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                line = self.lines.get(timeout=max(0.01, deadline - time.monotonic()))
            except queue.Empty:
                line = None
            if line is None:
                self.end(signal.SIGKILL)
                raise AssertionError(f"did not start: {self.errors()}")
            found = re.search(r" ready on https?://\S*:(\d+)", line)
            if found:
                return int(found[1])

    def errors(self):
        return self.log_path.read_text(errors="replace")

    def send(self, number):
        self.process.send_signal(number)

    def end(self, number=signal.SIGTERM, seconds=20):
        """Ends the process and returns its exit status (negative: the signal's number)."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"did not end within {seconds} s: {self.errors()}") from None


class Simulator:
    """pcs-sim: Intel's PCS with a PKI and a fleet of its own."""

    def __init__(self, folder, *arguments):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.arguments = arguments

    def __enter__(self):
        self.program = Program(
            [program("pcs-sim"), "--state", self.folder / "state", "--port", "0", *self.arguments],
            clean_environment(),
            self.folder,
        )
        self.port = self.program.wait_for_port()
        self.root = self.folder / "root.pem"
        self.root.write_bytes(self.request("GET", "/sim/root.pem").body)
        return self

    def __exit__(self, *_):
        self.program.end()

    @property
    def uri(self):
        return f"http://127.0.0.1:{self.port}{V4}/"

    def request(self, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        with contextlib.closing(connection):
            connection.request(method, path, body, headers or {})
            reply = connection.getresponse()
            return Answer(reply.status, reply.getheaders(), reply.read())

    def control(self, action, **members):
        answer = self.request("POST", "/sim/control", json.dumps({"action": action, **members}))
        assert answer.status == 200, answer
        return answer.json()

    def stats(self):
        return self.request("GET", "/sim/stats").json()

    def count(self, endpoint):
        """How many requests an endpoint has had (a word of sim_endpoint.def)."""
        return self.stats()["endpoints"].get(endpoint, {}).get("count", 0)

    def fleet(self):
        return self.request("GET", "/sim/fleet").json()

    def configuration(self):
        """What a service needs to take this simulator for Intel."""
        return {"uri": self.uri, "TrustAnchors": [str(self.root)], "UpstreamRetries": 0}


class Service:
    """pccsd in a folder of its own, with fresh TLS files, on a free port."""

    def __init__(self, folder, configuration=None, environment=None):
        self.folder = pathlib.Path(folder)
        self.environment = environment or {}
        self.configuration = {
            "HTTPS_PORT": 0,
            "CachingFillMode": "OFFLINE",
            "UserTokenHash": sha512(USER_TOKEN),
            "AdminTokenHash": sha512(ADMIN_TOKEN),
            "LogFile": "-",
            "LogLevel": "http",
            **(configuration or {}),
        }
        (self.folder / "config").mkdir(parents=True, exist_ok=True)
        self.write()

    @property
    def config_path(self):
        return self.folder / "config" / "default.json"

    def write(self, **changes):
        self.configuration.update(changes)
        self.config_path.write_text(json.dumps(self.configuration))

    def run(self, *arguments):
        """Runs pccsd to its end, as --check and --init-tls do."""
        return subprocess.run(
            [str(program("pccsd")), "-c", str(self.config_path), *arguments],
            env=clean_environment(self.environment),
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
        )

    def make_tls(self):
        for name in ("private.pem", "file.crt", "ca.crt"):
            (self.folder / "ssl_key" / name).unlink(missing_ok=True)
        made = self.run("--init-tls")
        assert made.returncode == 0, made.stderr
        self.tls = ssl.create_default_context(cafile=str(self.folder / "ssl_key" / "ca.crt"))

    def __enter__(self):
        if not (self.folder / "ssl_key" / "private.pem").exists():
            self.make_tls()
        self.program = Program(
            [program("pccsd"), "-c", self.config_path],
            clean_environment(self.environment),
            self.folder,
        )
        self.port = self.program.wait_for_port()
        return self

    def __exit__(self, kind, *_):
        status = self.program.end()
        if kind is None:
            assert status == 0, f"exit status {status}: {self.log()}"

    def stop(self, number=signal.SIGTERM):
        return self.program.end(number)

    def start_again(self):
        """After stop: the same folder, perhaps on another port."""
        self.__enter__()

    def log(self):
        return self.program.errors()

    def wait_for_log(self, text, seconds=10):
        deadline = time.monotonic() + seconds
        while text not in self.log():
            assert time.monotonic() < deadline, f"{text!r} is not in the log:\n{self.log()}"
            time.sleep(0.05)

    def connect(self, timeout=30):
        """A keep-alive connection (http.client), to be closed by the caller."""
        return http.client.HTTPSConnection(
            "127.0.0.1", self.port, timeout=timeout, context=self.tls
        )

    def open_socket(self, timeout=30):
        """A bare TLS socket, for requests that no library would send."""
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=timeout)
        return self.tls.wrap_socket(plain, server_hostname="localhost")

    def request(self, method, path, body=None, headers=None, connection=None):
        own = connection is None
        connection = connection or self.connect()
        try:
            connection.request(method, path, body, headers or {})
            reply = connection.getresponse()
            return Answer(reply.status, reply.getheaders(), reply.read())
        finally:
            if own:
                connection.close()

    def get(self, path, **headers):
        return self.request("GET", path, headers=headers)

    def post_json(self, path, value, token=("user-token", USER_TOKEN), method="POST"):
        body = value if isinstance(value, (bytes, str)) else json.dumps(value)
        headers = {"Content-Type": "application/json", token[0]: token[1]}
        return self.request(method, path, body, headers)

    def put_json(self, path, value):
        return self.post_json(path, value, ("admin-token", ADMIN_TOKEN), "PUT")

    def admin_get(self, path):
        return self.request("GET", path, headers={"admin-token": ADMIN_TOKEN})

    def metrics(self):
        """The metrics as a dict: 'name{labels}' to number."""
        found = {}
        for line in self.get("/metrics").text.splitlines():
            if line and not line.startswith("#"):
                name, value = line.rsplit(" ", 1)
                found[name] = float(value)
        return found
