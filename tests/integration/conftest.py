# SPDX-License-Identifier: BSD-3-Clause
"""Fixtures: a simulator and services, ended with the test or module that asked for them."""
import contextlib
import json
import signal
import subprocess

import pytest

from database_server import KINDS, DatabaseServer, missing
from harness import Service, Simulator, clean_environment, program

# A shell starts what runs in its background with SIGINT ignored, and whatever the tests start would
# inherit that: what they interrupt would go on for ever.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="module")
def offline(tmp_path_factory):
    """A service in OFFLINE mode that a whole module may ask, but not change."""
    with Service(tmp_path_factory.mktemp("offline")) as service:
        yield service


@pytest.fixture(scope="module")
def simulator(tmp_path_factory):
    """A simulator shared by a module; orders are reset by those who give them."""
    with Simulator(tmp_path_factory.mktemp("simulator")) as running:
        yield running


@pytest.fixture
def start_service(tmp_path):
    """start_service(configuration, environment) starts one more service for this test alone."""
    with contextlib.ExitStack() as services:
        count = 0

        def start(configuration=None, environment=None):
            nonlocal count
            count += 1
            service = Service(tmp_path / f"service{count}", configuration, environment)
            return services.enter_context(service)

        yield start


@pytest.fixture(scope="session")
def fleet():
    """The simulator's platforms, as pcs-sim --print-fleet tells them."""
    done = subprocess.run(
        [str(program("pcs-sim")), "--print-fleet"],
        env=clean_environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return json.loads(done.stdout)


def open_database_server(kind):
    if missing(kind):
        pytest.skip(missing(kind))
    return DatabaseServer(kind)


@pytest.fixture(scope="session")
def postgres_server():
    """A PostgreSQL server that all may use who leave it running; databases are to be their own."""
    with open_database_server("postgres") as server:
        yield server


@pytest.fixture(scope="session")
def mariadb_server():
    """The same of MariaDB."""
    with open_database_server("mariadb") as server:
        yield server


@pytest.fixture(params=KINDS)
def database_server(request):
    """Each of the shared servers in turn."""
    return request.getfixturevalue(f"{request.param}_server")


@pytest.fixture(params=KINDS)
def own_database_server(request):
    """Each kind in turn: a server of the test's own, to be stopped, paused and killed."""
    with open_database_server(request.param) as server:
        yield server
