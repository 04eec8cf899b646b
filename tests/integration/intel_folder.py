# SPDX-License-Identifier: BSD-3-Clause
"""A folder as Intel's service has it, made for a test: configuration, TLS files, database."""
import hashlib
import json
import os
import pathlib
import sqlite3
import subprocess

from harness import ADMIN_TOKEN, ROOT, USER_TOKEN, sha512

PCS_HOST = "api.trustedservices.intel.com"
VECTORS = ROOT / "tests" / "vectors" / "databases"
API_KEY = "0123456789abcdef-subscription"

MIGRATIONS = ["00_db_initialize.up.sql"] + [f"0{n}_db_version_{n}.js" for n in range(1, 6)]

# The members of the reference's own file; some in the loose types that it takes.
DEFAULTS = {
    "HTTPS_PORT": 18081,
    "hosts": "127.0.0.1",
    "uri": f"https://{PCS_HOST}/sgx/certification/v4/",
    "ApiKey": API_KEY,
    "proxy": "",
    "RefreshSchedule": "0 30 2 * * 1",
    "UserTokenHash": sha512(USER_TOKEN),
    "AdminTokenHash": sha512(ADMIN_TOKEN),
    "MaxRequestBodySize": "2MB",
    "HeadersTimeoutSeconds": 10,
    "CachingFillMode": "OFFLINE",
    "OPENSSL_FIPS_MODE": False,
    "LogLevel": "info",
    "DB_CONFIG": "sqlite",
    "sqlite": {"options": {"dialect": "sqlite", "define": {"freezeTableName": True},
                           "logging": False, "storage": "pckcache.db"}},
}


def openssl(*arguments):
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True, timeout=60)


class IntelFolder:
    def __init__(self, folder, version=5):
        self.folder = pathlib.Path(folder)
        (self.folder / "config").mkdir(parents=True)
        (self.folder / "ssl_key").mkdir()
        self.configure()
        self.make_tls()
        if version is not None:
            self.make_database(version)

    def __fspath__(self):
        return str(self.folder)

    __str__ = __fspath__

    @property
    def database(self):
        return self.folder / "pckcache.db"

    def configure(self, name="default.json", text=None, **changes):
        path = self.folder / "config" / name
        if text is None:
            base = DEFAULTS if name == "default.json" else {}
            text = "// made for a test\n" + json.dumps({**base, **changes}, indent=4)
        path.write_text(text)
        return path

    def make_tls(self, days=400, key=("-newkey", "rsa:2048"), more=("-nodes",)):
        openssl("req", "-x509", *key, *more, "-days", days, "-subj", "/CN=localhost", "-addext",
                "subjectAltName=DNS:localhost,IP:127.0.0.1",
                "-keyout", self.folder / "ssl_key" / "private.pem",
                "-out", self.folder / "ssl_key" / "file.crt")

    def make_database(self, version=5, host=PCS_HOST):
        self.database.unlink(missing_ok=True)
        with self.open() as database:
            database.executescript((VECTORS / f"version_{version}.sql").read_text())
            database.execute("UPDATE pcs_version SET server_addr = ?", (host,))
            # where the reference's present versions note which steps a database has had
            database.execute("CREATE TABLE umzug (name VARCHAR(255) NOT NULL UNIQUE PRIMARY KEY)")
            database.executemany("INSERT INTO umzug VALUES (?)",
                                 [(name,) for name in MIGRATIONS[:version + 1]])
        database.close()

    def open(self):
        return sqlite3.connect(self.database)

    def snapshot(self):
        """Every file with its bytes, mode and time of change."""
        found = {}
        for path in sorted(self.folder.rglob("*")):
            status = path.lstat()
            digest = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
            found[str(path)] = (digest, status.st_mode, status.st_mtime_ns, status.st_ino)
        return found


def tree(folder):
    """What a folder holds: {relative path: bytes}."""
    return {str(path.relative_to(folder)): path.read_bytes()
            for path in pathlib.Path(folder).rglob("*") if path.is_file()}


def is_root():
    return os.geteuid() == 0
