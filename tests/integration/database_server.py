# SPDX-License-Identifier: BSD-3-Clause
"""Private PostgreSQL and MariaDB servers for tests: DatabaseServer("postgres" or "mariadb").

Each has a temporary folder, a free loopback port and random passwords of its own, touches no
service of the system, and is gone with the tests, however they end (database_keeper.py). A data
directory is made once per run and copied. Nothing is synced to the disk unless `durable`: what was
committed survives kill() all the same, for the kernel has it. Standard library only.
"""
import atexit
import contextlib
import csv
import functools
import io
import json
import os
import pathlib
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import types

KINDS = ("postgres", "mariadb")
HOST = "127.0.0.1"
ADMIN = "pccs_admin"  # may do everything; the tests' own
SERVICE = "pccs"  # owns the databases that are made, and nothing else; pccsd's
START_SECONDS = 60
STOP_SECONDS = 60
PORT_TRIES = 5
CONNECTIONS_MAX = 300
UNPACKED = pathlib.Path(__file__).resolve().parents[2] / "build" / "tools" / "databases" / "usr"
PREFIXES = (pathlib.Path("/usr"), pathlib.Path("/usr/local"), UNPACKED)
KEEPER = pathlib.Path(__file__).with_name("database_keeper.py")
ENVIRONMENT = {"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "LC_ALL": "C", "TZ": "UTC", "HOME": "/"}
TLS_CONFIGURATION = """
[req]
distinguished_name = name
[name]
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[server]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectAltName = DNS:localhost, IP:127.0.0.1
authorityKeyIdentifier = keyid
"""


class DatabaseError(Exception):
    """A statement was refused, or a server did not do as it was told."""


class Keeper:
    """Our end of database_keeper.py; its methods are called by name."""

    def __init__(self):
        self.lock = threading.Lock()
        self.process = subprocess.Popen(
            [sys.executable, "-I", str(KEEPER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,  # out of reach of the terminal's Ctrl-C
        )
        self.folder = pathlib.Path(self._read()["folder"])

    def _read(self):
        line = self.process.stdout.readline()
        if not line:
            raise DatabaseError("the keeper of the database server is gone")
        answer = json.loads(line)
        if "error" in answer:
            raise DatabaseError(answer["error"])
        return types.MappingProxyType(answer)

    def __getattr__(self, name):
        def order(**arguments):
            with self.lock:
                self.process.stdin.write(json.dumps({"do": name, **arguments}) + "\n")
                self.process.stdin.flush()
                return self._read()

        return order

    def run(self, *arguments, text=""):
        words = [str(argument) for argument in arguments]
        done = self.__getattr__("run")(arguments=words, environment=ENVIRONMENT, text=text)
        if done["status"] != 0:
            end = done["output"][-4000:]
            raise DatabaseError(f"{words[0]}: exit status {done['status']}\n{end}")

    def close(self):
        """Ends the server, if one runs, and removes the folder."""
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


class Postgres:
    """What is PostgreSQL's own."""

    admin_database = "postgres"
    section = "postgres"
    stop_signal = signal.SIGINT  # "fast": lets clients go, writes a checkpoint
    count_sql = (
        "SELECT count(*) FROM pg_stat_activity "
        f"WHERE backend_type = 'client backend' AND usename <> '{ADMIN}'"
    )

    @staticmethod
    def find(prefix):
        def version(folder):
            found = re.search(r"/(\d+)/bin$", str(folder))
            return int(found[1]) if found else 0

        folders = sorted(prefix.glob("lib/postgresql/*/bin"), key=version, reverse=True)
        for folder in [*folders, prefix / "bin"]:
            programs = {name: folder / name for name in ("initdb", "postgres", "psql")}
            if all(os.access(path, os.X_OK) for path in programs.values()):
                return programs
        return None

    @staticmethod
    def initialise(template):
        password_file = template.keeper.folder / "password"
        template.keeper.run("sh", "-c", f"cat >{password_file}", text=template.password + "\n")
        template.keeper.run(
            template.programs["initdb"], "--no-sync", "-D", template.data, "-U", ADMIN,
            f"--pwfile={password_file}", "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C",
        )
        template.keeper.run(
            template.programs["postgres"], "--single", "-F", "-D", template.data, "postgres",
            text=f"CREATE ROLE {SERVICE} LOGIN PASSWORD '{template.service_password}'\n",
        )

    @staticmethod
    def command(server):
        settings = {
            "port": server.port,
            "listen_addresses": HOST,
            "unix_socket_directories": "",
            "max_connections": CONNECTIONS_MAX,
            "shared_buffers": "32MB",
            # In the data directory, for what is in /dev/shm outlives a kill.
            "dynamic_shared_memory_type": "mmap",
            "jit": "off",
            "log_line_prefix": "%m [%p] ",
        }
        if not server.durable:
            settings.update(fsync="off", full_page_writes="off")
        if server.tls:
            settings.update(
                ssl="on",
                ssl_cert_file=server.folder / "server.pem",
                ssl_key_file=server.folder / "server.key",
            )
        words = [server.programs["postgres"], "-D", server.folder / "data"]
        for name, value in settings.items():
            words += ["-c", f"{name}={value}"]
        return words

    @staticmethod
    def client(server, database, role):
        words = [
            server.programs["psql"], "-X", "-q", "--csv", "-t", "-P", "null=NULL", "-w",
            "-v", "ON_ERROR_STOP=1", "-h", HOST, "-p", server.port, "-U", ADMIN, "-d", database,
        ]
        return words, {
            "PGPASSWORD": server.password,
            "PGOPTIONS": f"-c role={role}",
            "PGCLIENTENCODING": "UTF8",
            "PGCONNECT_TIMEOUT": "10",
            "PGSSLMODE": "disable",
        }

    @staticmethod
    def rows(output):
        lines = csv.reader(io.StringIO(output, newline=""))
        return [tuple(None if field == "NULL" else field for field in line) for line in lines]

    @staticmethod
    def create_sql(name):
        return f"CREATE DATABASE {name} OWNER {SERVICE}"

    @staticmethod
    def drop_sql(name):
        return f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"

    @classmethod
    def terminate(cls, server):
        server.query(cls.count_sql.replace("count(*)", "pg_terminate_backend(pid)"))


class Mariadb:
    """What is MariaDB's own."""

    admin_database = "mysql"
    section = "mariadb"
    stop_signal = signal.SIGTERM
    count_sql = (
        "SELECT count(*) FROM information_schema.processlist "
        f"WHERE user NOT IN ('{ADMIN}', 'system user', 'event_scheduler')"
    )

    @staticmethod
    def find(prefix):
        names = ("mariadb", "mariadb-install-db", "my_print_defaults", "mariadbd")
        folders = [prefix / name for name in ("bin", "sbin", "libexec")]
        programs = {}
        for name in names:
            paths = [folder / name for folder in folders if os.access(folder / name, os.X_OK)]
            if not paths:
                return None
            programs[name] = paths[0]
        return programs

    @staticmethod
    def places(programs):
        """Where mariadbd finds its own files: not where it was built for, if it was unpacked."""
        prefix = programs["mariadbd"].parents[1]
        if prefix == PREFIXES[0]:
            return []
        share = next((p for p in (prefix / "share/mariadb", prefix / "share/mysql")
                      if (p / "charsets").is_dir()), prefix / "share/mysql")
        return [f"--basedir={prefix}", f"--lc-messages-dir={share}",
                f"--character-sets-dir={share / 'charsets'}"]

    @classmethod
    def initialise(cls, template):
        places = cls.places(template.programs)
        template.keeper.run(
            template.programs["mariadb-install-db"], "--no-defaults", *places,
            f"--datadir={template.data}", "--force", "--skip-name-resolve", "--skip-test-db",
            "--auth-root-authentication-method=normal", *cls.sizes(),
        )
        statements = [
            "FLUSH PRIVILEGES",
            "DELETE FROM mysql.global_priv WHERE User IN ('', 'root')",
            "FLUSH PRIVILEGES",
        ]
        for user, password in ((ADMIN, template.password), (SERVICE, template.service_password)):
            statements.append(f"CREATE USER {user}@'%' IDENTIFIED VIA mysql_native_password "
                              f"USING PASSWORD('{password}')")
        statements.append(f"GRANT ALL ON *.* TO {ADMIN}@'%' WITH GRANT OPTION")
        template.keeper.run(
            template.programs["mariadbd"], "--no-defaults", *places, "--bootstrap",
            f"--datadir={template.data}", *cls.sizes(),
            text="".join(f"{statement};\n" for statement in statements),
        )

    @staticmethod
    def sizes(durable=False):
        words = [
            "--innodb-log-file-size=16M", "--innodb-buffer-pool-size=64M",
            "--innodb-buffer-pool-dump-at-shutdown=OFF", "--innodb-buffer-pool-load-at-startup=OFF",
            "--aria-pagecache-buffer-size=8M", "--key-buffer-size=1M",
        ]
        if durable:
            return [*words, "--innodb-flush-log-at-trx-commit=1"]
        return [*words, "--innodb-flush-log-at-trx-commit=2", "--innodb-doublewrite=0",
                "--innodb-flush-method=nosync", "--debug-no-sync"]

    @classmethod
    def command(cls, server):
        words = [
            server.programs["mariadbd"], "--no-defaults", *cls.places(server.programs),
            f"--datadir={server.folder / 'data'}", f"--socket={server.folder / 'socket'}",
            f"--pid-file={server.folder / 'pid'}", f"--tmpdir={server.folder}",
            f"--port={server.port}", f"--bind-address={HOST}", "--skip-name-resolve",
            f"--max-connections={CONNECTIONS_MAX}", "--character-set-server=utf8mb4",
            *cls.sizes(server.durable),
        ]
        if not server.tls:
            return [*words, "--skip-ssl"]
        return [*words, f"--ssl-ca={server.ssl_ca}", f"--ssl-cert={server.folder / 'server.pem'}",
                f"--ssl-key={server.folder / 'server.key'}"]

    @staticmethod
    def client(server, database, role):
        words = [
            server.programs["mariadb"], "--no-defaults", "--batch", "--skip-column-names",
            "--protocol=tcp", "--skip-ssl", "--connect-timeout=10", f"--host={HOST}",
            f"--port={server.port}", f"--user={ADMIN}", "--default-character-set=utf8mb4", database,
        ]
        return words, {"MYSQL_PWD": server.password}

    @staticmethod
    def rows(output):
        escapes = {"n": "\n", "t": "\t", "0": "\0", "\\": "\\"}

        def plain(field):
            if field == "NULL":
                return None
            return re.sub(r"\\(.)", lambda found: escapes.get(found[1], found[0]), field)

        return [tuple(map(plain, line.split("\t"))) for line in output.split("\n")[:-1]]

    @staticmethod
    def create_sql(name):
        return (f"CREATE DATABASE {name} CHARACTER SET utf8mb4; "
                f"GRANT ALL ON {name}.* TO {SERVICE}@'%'")

    @staticmethod
    def drop_sql(name):
        return f"DROP DATABASE IF EXISTS {name}"

    @classmethod
    def terminate(cls, server):
        for (thread,) in server.query(cls.count_sql.replace("count(*)", "id")):
            with contextlib.suppress(DatabaseError):  # gone by itself
                server.query(f"KILL {thread}")


KIND_CLASSES = {"postgres": Postgres, "mariadb": Mariadb}


def find_programs(kind):
    """The server's programs by name, or None."""
    for prefix in PREFIXES:
        programs = KIND_CLASSES[kind].find(prefix)
        if programs:
            return programs
    return None


def missing(kind):
    """Why a server of this kind cannot be started here, or None."""
    if find_programs(kind):
        return None
    return f"no {kind} server is installed; ./dev test unpacks one"


class Template:
    """A data directory with its users, made once per run and copied for each server."""

    def __init__(self, kind):
        self.programs = find_programs(kind)
        if self.programs is None:
            raise DatabaseError(missing(kind))
        self.password = secrets.token_hex(16)
        self.service_password = secrets.token_hex(16)
        self.keeper = Keeper()
        atexit.register(self.keeper.close)
        self.data = self.keeper.folder / "data"
        self._bring_within_reach()
        KIND_CLASSES[kind].initialise(self)

    def _bring_within_reach(self):
        """nobody, whom the servers run as under root, may not see a checkout in root's home."""
        some = next(iter(self.programs.values()))
        if UNPACKED not in some.parents:
            return
        try:
            self.keeper.run("test", "-x", some)
        except DatabaseError:
            self.keeper.import_tree(source=str(UNPACKED), name="usr")
            self.programs = {
                name: self.keeper.folder / "usr" / path.relative_to(UNPACKED)
                for name, path in self.programs.items()
            }


_template_lock = threading.Lock()
_template_of = functools.lru_cache(maxsize=None)(Template)


class DatabaseServer:
    """One private server. A context manager: started at its begin, closed at its end.

    user, password: the administrator; service_user, service_password: owner of the databases that
    create_database makes, whom configuration() names. The port stays ours until close(), also
    while the server is stopped or killed: connections are refused then.
    """

    host = HOST
    user = ADMIN
    service_user = SERVICE

    def __init__(self, kind, durable=False):
        self.kind = kind
        self.durable = durable  # sync to the disk, as an operator's server does
        self.tls = False
        self.port = None
        self.pid = None
        self._own = KIND_CLASSES[kind]
        with _template_lock:
            template = _template_of(kind)
        self.programs = template.programs
        self.password = template.password
        self.service_password = template.service_password
        self.keeper = Keeper()
        self.folder = self.keeper.folder
        self._port_holder = None
        self._database_count = 0
        try:
            self.keeper.run("cp", "-a", "--reflink=auto", template.data, self.folder / "data")
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_):
        self.close()

    @property
    def admin_database(self):
        return self._own.admin_database

    @property
    def ssl_ca(self):
        """PEM file of the authority behind the server's certificate; made by start(tls=True)."""
        return self.folder / "ca.pem"

    # ---- its life ----

    def start(self, tls=None):
        """Starts it and waits until it answers; on the same port if it had one. tls: as before."""
        if self.is_running():
            raise DatabaseError("the server is running")
        self.tls = self.tls if tls is None else tls
        if self.tls and not self.ssl_ca.exists():
            self._make_certificate()
        for tries_left in reversed(range(PORT_TRIES)):
            fresh = self._port_holder is None
            if fresh:
                self._take_port()
            command = [str(word) for word in self._own.command(self)]
            self.pid = self.keeper.start(arguments=command, environment=ENVIRONMENT)["pid"]
            if self._wait_until_ready():
                return
            if fresh:
                self._let_port_go()
            if not tries_left or "in use" not in self.log()[-4000:]:
                raise DatabaseError(f"the {self.kind} server did not start:\n{self.log()[-4000:]}")

    def stop(self):
        """Ends it in its own way, and waits."""
        if self.keeper.stop(number=int(self._own.stop_signal), seconds=STOP_SECONDS)["running"]:
            self.kill()
            raise DatabaseError(f"the {self.kind} server did not stop:\n{self.log()[-4000:]}")

    def kill(self):
        """SIGKILL to all of its processes; they are gone when this returns."""
        self.keeper.kill()

    def restart(self):
        self.stop()
        self.start()

    def pause(self):
        """Stops all of its processes: connections are taken by the kernel, nothing is answered."""
        self.keeper.pause()

    def resume(self):
        self.keeper.resume()

    def close(self):
        """Ends it at once and removes all there is of it."""
        self.keeper.close()
        self._let_port_go()

    def is_running(self):
        return self.keeper.status()["running"]

    def log(self):
        with contextlib.suppress(FileNotFoundError):
            return (self.folder / "server.log").read_text(errors="replace")
        return ""

    def _take_port(self):
        # Bound and never listened on, this socket keeps the kernel from giving the port to others,
        # while SO_REUSEADDR, which the servers set too, lets them listen.
        self._port_holder = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._port_holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._port_holder.bind((HOST, 0))
        self.port = self._port_holder.getsockname()[1]

    def _let_port_go(self):
        if self._port_holder is not None:
            self._port_holder.close()
            self._port_holder = None

    def _wait_until_ready(self):
        deadline = time.monotonic() + START_SECONDS
        while self.is_running():
            with contextlib.suppress(OSError, DatabaseError):
                socket.create_connection((HOST, self.port), timeout=5).close()
                self.query("SELECT 1")
                return True
            if time.monotonic() > deadline:
                self.kill()
            time.sleep(0.02)
        return False

    def _make_certificate(self):
        folder = self.folder
        (folder / "tls.cnf").write_text(TLS_CONFIGURATION)
        (folder / "tls.cnf").chmod(0o644)
        for name, subject, more in (
            ("authority", "/CN=Authority of a database for tests", ["ca"]),
            ("server", "/CN=localhost", ["server", "-CA", "ca.pem", "-CAkey", "ca.key"]),
        ):
            self.keeper.run(
                "openssl", "req", "-x509", "-config", "tls.cnf", "-extensions", name, "-nodes",
                "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-days", "30",
                "-subj", subject, "-keyout", f"{more[0]}.key", "-out", f"{more[0]}.pem", *more[1:],
            )
        self.ssl_ca.chmod(0o644)

    # ---- what is in it ----

    def query(self, sql, database=None, seconds=60):
        """Runs statements by the server's own client; gives all rows as tuples of text or None.

        With a database PostgreSQL acts as the service's user, so that what is made is the
        service's; without, as the administrator. A text of 'NULL' is None too.
        """
        role = ADMIN if database is None else SERVICE
        words, secret = self._own.client(self, database or self.admin_database, role)
        done = subprocess.run(
            [str(word) for word in words],
            input=sql,
            env={**ENVIRONMENT, **secret},
            capture_output=True,
            text=True,
            errors="surrogateescape",
            timeout=seconds,
        )
        if done.returncode != 0:
            raise DatabaseError(done.stderr.strip())
        return self._own.rows(done.stdout)

    def create_database(self):
        """Makes an empty database that the service's user owns; gives its name."""
        self._database_count += 1
        name = f"pccs_{self._database_count}_{secrets.token_hex(3)}"
        self.query(self._own.create_sql(name))
        return name

    def drop_database(self, name):
        if not re.fullmatch(r"[a-z0-9_]+", name):
            raise DatabaseError(f"not a name of create_database: {name!r}")
        self.query(self._own.drop_sql(name))

    def connections(self):
        """How many clients are connected now, without the administrator's."""
        return int(self.query(self._own.count_sql)[0][0])

    def terminate_connections(self):
        """Ends the connections that connections() counts, from the server's side."""
        self._own.terminate(self)

    def configuration(self, database, section=None, pool_max=5):
        """What pccs.json needs; section: another name for the section, such as mysql."""
        section = section or self._own.section
        values = {
            "database": database,
            "username": SERVICE,
            "password": self.service_password,
            "options": {"host": HOST, "port": self.port, "pool": {"max": pool_max}},
        }
        if self.tls:
            values["ssl"] = {"required": True, "ca": str(self.ssl_ca)}
        return {"DB_CONFIG": section, section: values}
