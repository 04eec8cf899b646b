# SPDX-License-Identifier: BSD-3-Clause
"""The private database servers that other tests stand on, and their runner for unit tests."""
import pathlib
import signal
import socket
import subprocess
import sys
import time

import pytest

import database_server as database_server_module
from database_server import ADMIN, HOST, KINDS, DatabaseError, DatabaseServer
from database_keeper import children_of, read_stat
from harness import ROOT

WITH_SERVERS = ROOT / "tests" / "unit" / "store" / "with_servers.py"
CREATE = "CREATE TABLE kept (id INTEGER PRIMARY KEY, words VARCHAR(40))"
HOLDER = """
import sys, time
sys.path.insert(0, sys.argv[1])
import database_server
server = database_server.DatabaseServer(sys.argv[2])
server.start()
server.pause() if sys.argv[3] == "paused" else None
template = database_server._template_of(server.kind)
print(server.pid, server.folder, template.keeper.folder, flush=True)
while True:
    time.sleep(0.05)
"""


def wait_until(condition, seconds=20):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.02)


def processes_of(server):
    return [server.pid, *children_of(server.pid)]


def read_proc(pid, name):
    """A file of a process, empty if it ended meanwhile, as a client's process may."""
    try:
        return pathlib.Path(f"/proc/{pid}/{name}").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def is_gone(pid):
    stat = read_stat(pid)
    return stat is None or stat[0] in "ZX"


def start_holder(kind, state="running"):
    """A process of tests that has started a server; with its server's id and all folders."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, pathlib.Path(__file__).parent, kind, state],
        stdout=subprocess.PIPE,
        text=True,
    )
    pid, *folders = process.stdout.readline().split()
    return process, int(pid), [pathlib.Path(folder) for folder in folders]


# ---- refusals ----


def test_refuses_a_wrong_password(database_server, monkeypatch):
    monkeypatch.setattr(database_server, "password", "not this one")
    with pytest.raises(DatabaseError, match="(?i)password|denied"):
        database_server.query("SELECT 1")


def test_refuses_an_empty_password(database_server, monkeypatch):
    monkeypatch.setattr(database_server, "password", "")
    with pytest.raises(DatabaseError, match="(?i)password|denied"):
        database_server.query("SELECT 1")


def test_refuses_a_wrong_statement_with_the_servers_words(database_server):
    with pytest.raises(DatabaseError, match="(?i)syntax"):
        database_server.query("SELEKT 1")


def test_refuses_to_start_twice(database_server):
    with pytest.raises(DatabaseError, match="is running"):
        database_server.start()


def test_refuses_to_drop_what_is_no_name(database_server):
    with pytest.raises(DatabaseError, match="not a name"):
        database_server.drop_database("x; DROP DATABASE y")


def test_a_server_that_cannot_start_is_named_with_its_log(own_database_server, monkeypatch):
    own_database_server.stop()
    own = own_database_server._own
    broken = type("Broken", (own,), {
        "command": staticmethod(lambda server: [*own.command(server), "--no-such-option"])})
    monkeypatch.setattr(own_database_server, "_own", broken)
    with pytest.raises(DatabaseError, match="did not start(.|\n)*no-such-option"):
        own_database_server.start()


# ---- its life ----


def test_a_server_starts_within_two_seconds(own_database_server):
    own_database_server.stop()
    began = time.monotonic()
    own_database_server.start()
    assert time.monotonic() - began < 2


def test_two_servers_of_a_kind_run_at_once_and_share_nothing(database_server):
    with DatabaseServer(database_server.kind) as other:
        assert other.port != database_server.port
        name = other.create_database()
        other.query(CREATE, name)
        with pytest.raises(DatabaseError):
            database_server.query("SELECT * FROM kept", name)


def test_all_servers_listen_on_loopback_only(database_server):
    lines = pathlib.Path("/proc/net/tcp").read_text() + pathlib.Path("/proc/net/tcp6").read_text()
    port = f":{database_server.port:04X}"
    listening = [line.split()[1] for line in lines.splitlines()
                 if line.split()[1].endswith(port) and line.split()[3] == "0A"]
    assert listening == ["0100007F" + port]


def test_no_server_runs_as_root(database_server):
    for pid in processes_of(database_server):
        assert "\nUid:\t0\t" not in read_proc(pid, "status")


def test_no_password_stands_in_an_argument_list(database_server, monkeypatch):
    """Neither of the server's nor of the client's."""
    seen = []
    run = subprocess.run

    def watch(words, **options):
        seen.extend(words)
        return run(words, **options)

    monkeypatch.setattr(subprocess, "run", watch)
    database_server.query("SELECT 1")
    for pid in processes_of(database_server):
        seen.append(read_proc(pid, "cmdline"))
    for word in seen:
        assert database_server.password not in word
        assert database_server.service_password not in word


@pytest.mark.parametrize("durable", [False, True], ids=["nosync", "durable"])
@pytest.mark.parametrize("kind", KINDS)
def test_what_was_committed_survives_a_kill(kind, durable, request):
    request.getfixturevalue(f"{kind}_server")  # skips where there is none
    with DatabaseServer(kind, durable=durable) as server:
        name = server.create_database()
        server.query(CREATE, name)
        server.query("INSERT INTO kept VALUES (1, 'one')", name)
        processes, port = processes_of(server), server.port
        server.kill()
        assert all(map(is_gone, processes))
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((HOST, port), timeout=5)
        server.start()
        assert server.port == port
        assert server.query("SELECT * FROM kept", name) == [("1", "one")]


def test_a_stopped_server_starts_again_on_its_port(own_database_server):
    port, before = own_database_server.port, own_database_server.pid
    own_database_server.restart()
    assert own_database_server.port == port
    assert own_database_server.pid != before
    assert own_database_server.query("SELECT 1") == [("1",)]


def test_the_port_of_a_stopped_server_is_given_to_nobody(own_database_server):
    own_database_server.stop()
    with socket.socket() as other, pytest.raises(OSError):
        other.bind((HOST, own_database_server.port))


def test_a_paused_server_takes_connections_and_answers_nothing(own_database_server):
    own_database_server.pause()
    with socket.create_connection((HOST, own_database_server.port), timeout=5):
        with pytest.raises(subprocess.TimeoutExpired):
            own_database_server.query("SELECT 1", seconds=0.5)
    # A client's process that had ended already waits for its parent, which is stopped too: Z.
    assert all((read_stat(pid) or "Z")[0] in "TZ" for pid in processes_of(own_database_server))
    own_database_server.resume()
    assert own_database_server.query("SELECT 1") == [("1",)]


@pytest.mark.parametrize("end", ["stop", "kill", "close"])
def test_a_paused_server_can_be_ended(own_database_server, end):
    own_database_server.pause()
    processes = processes_of(own_database_server)
    getattr(own_database_server, end)()
    assert all(map(is_gone, processes))


# ---- what is in it ----


def test_a_fresh_database_is_empty_and_takes_every_character(database_server):
    name = database_server.create_database()
    database_server.query(CREATE, name)
    database_server.query("INSERT INTO kept VALUES (1, '\U0001f5dd ü'), (2, NULL), (3, '')", name)
    rows = database_server.query("SELECT * FROM kept ORDER BY id", name)
    assert rows == [("1", "\U0001f5dd ü"), ("2", None), ("3", "")]
    database_server.drop_database(name)
    with pytest.raises(DatabaseError):
        database_server.query("SELECT 1", name)


def test_rows_come_with_tabs_quotes_and_line_feeds_as_they_are(database_server):
    parts = {"postgres": "chr({})", "mariadb": "char({})"}[database_server.kind]
    text = "a\t\"b\",\n'c'\\n;"
    sql = ", ".join(parts.format(ord(character)) for character in text)
    assert database_server.query(f"SELECT concat({sql}), 'second'") == [(text, "second")]


def test_connections_are_counted_and_can_be_ended(own_database_server):
    server = own_database_server
    assert server.connections() == 0
    name = server.create_database()
    words, secret = server._own.client(server, name, ADMIN)
    words = [str(word).replace(ADMIN, server.service_user) for word in words]
    secret = {key: value.replace(server.password, server.service_password).replace(
        ADMIN, server.service_user) for key, value in secret.items()}
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL,
                          env={**database_server_module.ENVIRONMENT, **secret}):
        wait_until(lambda: server.connections() == 1)
        server.terminate_connections()
        wait_until(lambda: server.connections() == 0)


def test_the_configuration_names_a_user_who_may_only_his_own(database_server):
    name = database_server.create_database()
    configuration = database_server.configuration(name, pool_max=3)
    section = configuration[configuration["DB_CONFIG"]]
    assert configuration["DB_CONFIG"] == database_server.kind
    assert section["database"] == name
    assert section["username"] != database_server.user
    assert section["password"] == database_server.service_password != database_server.password
    assert section["options"] == {
        "host": "127.0.0.1", "port": database_server.port, "pool": {"max": 3}}
    assert "ssl" not in section


def test_the_configuration_of_mariadb_may_be_called_mysql(mariadb_server):
    configuration = mariadb_server.configuration("x", section="mysql")
    assert configuration["DB_CONFIG"] == "mysql"
    assert configuration["mysql"]["database"] == "x"


def test_tls_is_there_when_asked_for_and_verifies(own_database_server):
    server = own_database_server
    server.stop()
    server.start(tls=True)
    words, secret = server._own.client(server, server.admin_database, ADMIN)
    words = [word for word in words if word != "--skip-ssl"]
    if server.kind == "postgres":
        secret.update(PGSSLMODE="verify-full", PGSSLROOTCERT=str(server.ssl_ca))
        question, answer = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()", "t"
    else:
        words[2:2] = [f"--ssl-ca={server.ssl_ca}", "--ssl-verify-server-cert"]
        question, answer = "SHOW STATUS LIKE 'Ssl_version'", "Ssl_version\tTLSv1.3"
    done = subprocess.run(list(map(str, words)), input=question, text=True, capture_output=True,
                          env={**database_server_module.ENVIRONMENT, **secret}, timeout=20)
    assert done.stdout.strip() == answer, done.stderr
    assert server.configuration("x")[server.kind]["ssl"] == {
        "required": True, "ca": str(server.ssl_ca)}


# ---- nothing is left ----


def test_a_closed_server_leaves_no_process_and_no_folder(database_server):
    with DatabaseServer(database_server.kind) as server:
        processes = processes_of(server)
    assert all(map(is_gone, processes))
    assert not server.folder.exists()


def test_a_test_that_fails_leaves_nothing(database_server):
    with pytest.raises(ZeroDivisionError):
        with DatabaseServer(database_server.kind) as server:
            processes = processes_of(server)
            1 / 0
    assert all(map(is_gone, processes))
    assert not server.folder.exists()


@pytest.mark.parametrize("number, state", [
    (signal.SIGKILL, "paused"), (signal.SIGTERM, "running"), (signal.SIGINT, "running")])
def test_interrupted_tests_leave_nothing(database_server, number, state):
    process, pid, folders = start_holder(database_server.kind, state)
    processes = [pid, *children_of(pid)]
    with process:
        process.send_signal(number)
    wait_until(lambda: all(map(is_gone, processes)))
    wait_until(lambda: not any(folder.exists() for folder in folders))


def test_a_killed_postgres_leaves_no_shared_memory(postgres_server):
    def segments():
        return set(pathlib.Path("/proc/sysvipc/shm").read_text().splitlines()[1:])

    with DatabaseServer("postgres") as server:
        (line,) = [line for line in (server.folder / "data/postmaster.pid").read_text().split("\n")
                   if len(line.split()) == 2]
        segment = line.split()[1]
        assert segment in {line.split()[1] for line in segments()}
        server.kill()
    assert segment not in {line.split()[1] for line in segments()}


# ---- with_servers.py, which runs unit tests beside servers ----


def start_with_servers(kind, program, *options):
    """with_servers.py around a Python program, which starts with the socket `control`."""
    begin = ("import os, signal, socket, sys\n"
             "control = socket.socket(socket.AF_UNIX)\n"
             "control.connect(os.environ['PCCS_TEST_CONTROL'])\n"
             "control = control.makefile('rw')\n"
             "def order(text):\n"
             "    print(text, file=control, flush=True)\n"
             "    return control.readline().strip()\n")
    return subprocess.Popen(
        [sys.executable, str(WITH_SERVERS), "--kind", kind, *options,
         "--", sys.executable, "-c", begin + program],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def run_with_servers(kind, program, *options):
    with start_with_servers(kind, program, *options) as process:
        output, errors = process.communicate(timeout=60)
    return process.returncode, output, errors


def test_the_control_socket_refuses_and_says_why(database_server):
    kind = database_server.kind
    refused = {
        f"burn {kind}": "'burn' is none of",
        "kill": "'' is not a server",
        "kill sqlite": "'sqlite' is not a server",
        f"kill {kind} {kind}": "is not a server",
        f"start {kind}": "the server is running",
        "x" * 100: "not a line",
    }
    status, output, errors = run_with_servers(
        kind, f"for text in {list(refused)!r}:\n    print(order(text))")
    assert status == 0, errors
    answers = output.splitlines()
    assert len(answers) == len(refused)
    for answer, reason in zip(answers, refused.values()):
        assert answer.startswith("failed: ")
        assert reason in answer


def test_the_program_is_told_where_the_server_is(database_server):
    variable = f"PCCS_TEST_{database_server.kind.upper()}"
    status, output, errors = run_with_servers(
        database_server.kind, f"print(os.environ['{variable}'])", "--tls")
    assert status == 0, errors
    names = [word.split("=")[0] for word in output.split()]
    assert names == ["host", "port", "user", "password", "admin_database", "ca"]


@pytest.mark.parametrize("program, status", [
    ("sys.exit(3)", 3),
    ("os.kill(os.getpid(), signal.SIGKILL)", 137),
])
def test_the_programs_exit_status_is_passed_on(database_server, program, status):
    assert run_with_servers(database_server.kind, program)[0] == status


def test_the_program_can_end_and_start_the_server(database_server):
    """Refused while it is down, on the same port again afterwards."""
    kind = database_server.kind
    status, output, errors = run_with_servers(kind, f"""
port = int(os.environ['PCCS_TEST_{kind.upper()}'].split()[1].removeprefix('port='))
def answers():
    with socket.socket() as client:
        return client.connect_ex(('127.0.0.1', port)) == 0
for verb in ('kill', 'start', 'restart', 'stop', 'start', 'pause', 'resume'):
    print(verb, order(verb + ' {kind}'), answers())
""")
    assert (status, errors) == (0, "")
    assert output.splitlines() == [
        "kill ok False", "start ok True", "restart ok True", "stop ok False", "start ok True",
        "pause ok True", "resume ok True"]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_an_interrupted_runner_leaves_nothing(database_server, number):
    process = start_with_servers(
        database_server.kind,
        "print(os.getpid(), os.environ['PCCS_TEST_CONTROL'], flush=True)\nsignal.pause()\n")
    pid, control = process.stdout.readline().split()
    folder = pathlib.Path(control).parent
    assert folder.is_dir()
    with process:
        process.send_signal(number)
    wait_until(lambda: is_gone(int(pid)) and not folder.exists())
