#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Runs a test program with private database servers beside it; they are gone when it ends.

Usage: with_servers.py [--kind postgres|mariadb]... [--tls] [--durable] -- PROGRAM [ARGUMENT]...

Without --kind: both. The program finds in its environment, for each kind,
    PCCS_TEST_POSTGRES, PCCS_TEST_MARIADB
        host=127.0.0.1 port=N user=U password=P admin_database=D
    in this order, with " ca=FILE" after it under --tls; U may create and drop databases; and
    PCCS_TEST_CONTROL
        the path of a Unix stream socket that takes one order a line, "VERB KIND", VERB being one of
        start, stop, restart, kill, pause, resume, and answers each, when it is done, with "ok" or
        "failed: REASON" on a line.
The exit status is the program's, 128 + N if signal N ended it, or 77, which Meson counts as
skipped, where a server is not installed.
"""
import argparse
import os
import pathlib
import signal
import socketserver
import subprocess
import sys
import threading

INTEGRATION = pathlib.Path(__file__).resolve().parents[2] / "integration"
sys.path.insert(0, str(INTEGRATION))
sys.dont_write_bytecode = True

from database_keeper import die_with_parent  # noqa: E402
from database_server import KINDS, DatabaseServer, missing  # noqa: E402

SKIPPED = 77
ORDER_BYTES_MAX = 80
VERBS = ("start", "stop", "restart", "kill", "pause", "resume")


class Control(socketserver.ThreadingUnixStreamServer):
    """Takes orders for the servers."""

    daemon_threads = True

    def __init__(self, servers):
        self.servers = {server.kind: server for server in servers}
        self.lock = threading.Lock()
        super().__init__(str(servers[0].folder / "control"), Orders)

    def obey(self, order):
        verb, _, kind = order.partition(" ")
        if verb not in VERBS:
            return f"failed: {verb!r} is none of {', '.join(VERBS)}"
        if kind not in self.servers:
            return f"failed: {kind!r} is not a server that runs here"
        try:
            with self.lock:
                getattr(self.servers[kind], verb)()
        except Exception as error:  # whatever it was, the program is told
            return "failed: " + (str(error) or type(error).__name__).replace("\n", " | ")
        return "ok"


class Orders(socketserver.StreamRequestHandler):
    def handle(self):
        while True:
            line = self.rfile.readline(ORDER_BYTES_MAX)
            if not line:
                return
            whole = line.endswith(b"\n")
            order = line.decode("ascii", "replace").rstrip("\n")
            answer = self.server.obey(order) if whole else "failed: not a line"
            self.wfile.write(answer.encode() + b"\n")
            if not whole:
                return


def describe(server):
    words = {
        "host": server.host,
        "port": server.port,
        "user": server.user,
        "password": server.password,
        "admin_database": server.admin_database,
    }
    if server.tls:
        words["ca"] = server.ssl_ca
    return " ".join(f"{name}={value}" for name, value in words.items())


def run_program(command, servers):
    with Control(servers) as control:
        environment = {**os.environ, "PCCS_TEST_CONTROL": control.server_address}
        for server in servers:
            environment[f"PCCS_TEST_{server.kind.upper()}"] = describe(server)
        process = subprocess.Popen(command, env=environment, preexec_fn=die_with_parent)
        threading.Thread(target=control.serve_forever, daemon=True).start()
        try:
            status = process.wait()
        finally:
            process.kill()
            process.wait()
            control.shutdown()
    return status if status >= 0 else 128 - status


def main():
    parser = argparse.ArgumentParser(usage=__doc__.split("\n")[2].removeprefix("Usage: "))
    parser.add_argument("--kind", action="append", choices=KINDS)
    parser.add_argument("--tls", action="store_true")
    parser.add_argument("--durable", action="store_true")
    parser.add_argument("command", nargs="+", metavar="PROGRAM")
    options = parser.parse_args()
    kinds = list(dict.fromkeys(options.kind or KINDS))
    for kind in kinds:
        if missing(kind):
            print(f"with_servers: {missing(kind)}", file=sys.stderr)
            return SKIPPED
    # SIGTERM and SIGINT end this process at once: the program and the servers follow their parent.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    servers = []
    try:
        for kind in kinds:
            servers.append(DatabaseServer(kind, durable=options.durable))
            servers[-1].start(tls=options.tls)
        return run_program(options.command, servers)
    finally:
        for server in servers:
            server.close()


if __name__ == "__main__":
    sys.exit(main())
