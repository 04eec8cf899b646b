# SPDX-License-Identifier: BSD-3-Clause
"""Runs pccsadmin as a script would: no terminal, a clean environment, a folder of its own."""
import json
import subprocess

from harness import ADMIN_TOKEN, V4, clean_environment, program


class Done:
    def __init__(self, done):
        self.status = done.returncode
        self.out = done.stdout
        self.err = done.stderr

    def json(self):
        return json.loads(self.out)

    def __repr__(self):
        return f"<{self.status} {self.out!r} {self.err!r}>"


class Admin:
    """pccsadmin in a folder; what it is told of services comes by its methods' arguments."""

    def __init__(self, folder):
        self.folder = folder

    def run(self, *arguments, stdin="", environment=None, timeout=120):
        done = subprocess.run(
            [str(program("pccsadmin")), *map(str, arguments)], cwd=self.folder, input=stdin,
            env=clean_environment(environment), capture_output=True, text=True, timeout=timeout)
        return Done(done)

    def pccs(self, service, command, path, *arguments, token=ADMIN_TOKEN, **more):
        """A command that talks to a PCCS, trusting its development CA."""
        environment = {"PCCS_ADMIN_TOKEN": token} if token else {}
        return self.run(command, "-u", f"https://localhost:{service.port}{path}", "--ca",
                        service.folder / "ssl_key" / "ca.crt", *arguments,
                        environment=environment, **more)

    def get(self, service, *arguments, **more):
        return self.pccs(service, "get", f"{V4}/platforms", *arguments, **more)

    def put(self, service, *arguments, **more):
        return self.pccs(service, "put", f"{V4}/platformcollateral", *arguments, **more)

    def refresh(self, service, *arguments, **more):
        return self.pccs(service, "refresh", f"{V4}/refresh", *arguments, **more)

    def pcs(self, simulator, command, *arguments, **more):
        """A command that talks to the PCS, trusting the simulator's root."""
        return self.run(command, "-u", simulator.uri, "--trust-anchor", simulator.root,
                        *arguments, **more)

    def fetch(self, simulator, *arguments, **more):
        return self.pcs(simulator, "fetch", *arguments, **more)

    def write(self, name, value):
        path = self.folder / name
        path.write_text(value if isinstance(value, str) else json.dumps(value))
        return path

    def read(self, name):
        return json.loads((self.folder / name).read_text())
