# SPDX-License-Identifier: BSD-3-Clause
"""Listening sockets that systemd passes: what is refused, and that no client is."""
import contextlib
import http.client
import os
import socket
import subprocess

import pytest

from harness import Program, Service, clean_environment, program

# As systemd does it: the socket is descriptor 3, the variables name the process itself.
START = 'export LISTEN_FDS="${COUNT-1}" LISTEN_PID="${WHO-$$}" LISTEN_FDNAMES=x; exec "$@"'


def move_to_3(fd):
    def move():
        os.dup2(fd, 3)
        os.set_inheritable(3, True)
    return move


class Activated(Service):
    """pccsd with this descriptor as its third; its configuration names a port of its own."""

    def __init__(self, folder, passed, **environment):
        super().__init__(folder, environment=environment)
        self.passed = passed
        self.make_tls()

    def command(self):
        return ["/bin/sh", "-c", START, "sh", str(program("pccsd")), "-c", str(self.config_path)]

    def __enter__(self):
        self.program = Program(self.command(), clean_environment(self.environment), self.folder,
                               **self.options())
        self.port = self.program.wait_for_port()
        return self

    def options(self):
        return {"close_fds": False, "preexec_fn": move_to_3(self.passed.fileno())}

    def refused(self):
        done = subprocess.run(self.command(), env=clean_environment(self.environment),
                              cwd=self.folder, stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=60, **self.options())
        assert done.returncode == 1, done
        return done.stderr


@pytest.fixture
def listener():
    with contextlib.closing(socket.socket()) as one:
        one.bind(("127.0.0.1", 0))
        one.listen(64)
        yield one


def port_of(listener):
    return listener.getsockname()[1]


def test_refuses_what_is_no_listener(tmp_path):
    with contextlib.closing(socket.socket()) as one:
        assert "no TCP listener" in Activated(tmp_path / "unbound", one).refused()
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as one:
        one.bind(str(tmp_path / "socket"))
        one.listen(1)
        assert "no TCP listener" in Activated(tmp_path / "unix", one).refused()
    with open("/dev/null", "rb") as one:
        assert "no TCP listener" in Activated(tmp_path / "file", one).refused()


@pytest.mark.parametrize("count", ["17", "-1", "many", "3x"])
def test_refuses_a_number_that_is_none(tmp_path, listener, count):
    assert "LISTEN_FDS" in Activated(tmp_path, listener, COUNT=count).refused()


def test_sockets_of_another_process_are_left_alone(tmp_path, listener):
    for number, who in enumerate(("1", "", "99999999", "x")):
        with Activated(tmp_path / str(number), listener, WHO=who) as service:
            assert service.port != port_of(listener)


def test_no_sockets_are_as_if_there_were_none_to_pass(tmp_path, listener):
    with Activated(tmp_path, listener, COUNT="0") as service:
        assert service.port != port_of(listener)


def test_answers_on_the_socket_that_was_passed(tmp_path, listener):
    with Activated(tmp_path, listener) as service:
        assert service.port == port_of(listener)
        assert service.get("/healthz/live").status == 200
        assert "hosts=systemd" in service.log()


def test_who_connects_while_nobody_runs_is_answered_by_the_next_one(tmp_path, listener):
    service = Activated(tmp_path, listener)
    with service:
        assert service.get("/healthz/live").status == 200
    plain = socket.create_connection(("127.0.0.1", port_of(listener)), timeout=30)  # in the queue
    with contextlib.closing(plain), service:
        with service.tls.wrap_socket(plain, server_hostname="localhost") as waiting:
            waiting.sendall(b"GET /healthz/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            answer = http.client.HTTPResponse(waiting)
            answer.begin()
            assert answer.status == 200
