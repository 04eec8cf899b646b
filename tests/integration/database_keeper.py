# SPDX-License-Identifier: BSD-3-Clause
"""The process whose child a database server of the tests is; see database_server.py.

It makes a temporary folder, runs programs in it, and starts, pauses and kills one server, as told
by lines of JSON on standard input; each is answered by one line. When its input ends, however the
tests ended, it kills the server, removes the folder and ends: nothing outlives the tests. It runs
its children as nobody where it is root, which the servers refuse to be. It is a process of its
own, and has one thread, so that the kernel's signal at the death of a parent can be relied upon.
"""
import contextlib
import ctypes
import json
import os
import pathlib
import pwd
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
IPC_RMID = 0
RUN_SECONDS = 120
LIBC = ctypes.CDLL(None, use_errno=True)


def die_with_parent():
    """In the child, after it has become another user, which would clear the wish."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def read_stat(pid):
    """A process's state and parent, or None if there is no such process."""
    try:
        text = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    state, parent = text.rpartition(")")[2].split()[:2]
    return state, int(parent)


def children_of(parent):
    pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    return [pid for pid in pids if (read_stat(pid) or (None, None))[1] == parent]


def freeze(pid):
    """Stops a process and waits until it is: from then on it starts no other."""
    os.kill(pid, signal.SIGSTOP)
    while (read_stat(pid) or "Z")[0] not in "TtZX":
        time.sleep(0.001)


class Keeper:
    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="pccs-database-"))
        self.server = None
        self.as_user = {}
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            os.chown(self.folder, nobody.pw_uid, nobody.pw_gid)
            self.as_user = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
        # The children of a killed server become ours, and their ids are theirs until we reap them.
        LIBC.prctl(PR_SET_CHILD_SUBREAPER, 1)

    def spawn(self, arguments, environment, **streams):
        return subprocess.Popen(
            arguments,
            env=environment,
            cwd=self.folder,
            preexec_fn=die_with_parent,
            start_new_session=True,
            umask=0o077,
            **streams,
            **self.as_user,
        )

    def run(self, arguments, environment, text=""):
        """Runs a program to its end."""
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        with self.spawn(arguments, environment, **pipes) as process:
            try:
                output = process.communicate(text.encode(), RUN_SECONDS)[0]
            except subprocess.TimeoutExpired:
                process.kill()
                raise
        return {"status": process.returncode, "output": output.decode(errors="replace")}

    def import_tree(self, source, name):
        """Copies a tree that the server's user may not reach."""
        shutil.copytree(source, self.folder / name, symlinks=True)
        for path in [self.folder / name, *(self.folder / name).rglob("*")]:
            if not path.is_symlink():
                path.chmod(0o755)
        return {}

    def start(self, arguments, environment):
        if self.is_running():
            raise RuntimeError("the server is running")
        with (self.folder / "server.log").open("ab") as log:
            streams = {"stdin": subprocess.DEVNULL, "stdout": log, "stderr": log}
            self.server = self.spawn(arguments, environment, **streams)
        return {"pid": self.server.pid}

    def is_running(self):
        return self.server is not None and self.server.poll() is None

    def status(self):
        return {"running": self.is_running()}

    def stop(self, number, seconds):
        """Ends the server in its own way; 'running' in the answer if it did not in time."""
        if self.is_running():
            self.resume()
            os.kill(self.server.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.server.wait(seconds)
        return self.status()

    def pause(self):
        if self.is_running():
            freeze(self.server.pid)
            for pid in children_of(self.server.pid):
                freeze(pid)
        return self.status()

    def resume(self):
        if self.is_running():
            for pid in [*children_of(self.server.pid), self.server.pid]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)
        return self.status()

    def kill(self):
        """Kills the server and all its processes at once; they are gone when this returns."""
        if self.is_running():
            freeze(self.server.pid)
            for pid in [*children_of(self.server.pid), self.server.pid]:
                os.kill(pid, signal.SIGKILL)
            self.server.wait()
        for pid in children_of(os.getpid()):
            with contextlib.suppress(ProcessLookupError, ChildProcessError):
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
        return self.status()

    def remove_shared_memory(self):
        """PostgreSQL's segment, which outlives a kill: the last number of line 7 of its file."""
        with contextlib.suppress(OSError, IndexError, ValueError):
            lines = (self.folder / "data" / "postmaster.pid").read_text().splitlines()
            LIBC.shmctl(int(lines[6].split()[1]), IPC_RMID, None)

    def close(self):
        self.kill()
        self.remove_shared_memory()
        shutil.rmtree(self.folder, ignore_errors=True)


def main():
    # Only the end of the input ends this process. A function, for what is ignored would stay so
    # in the children.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    keeper = Keeper()
    try:
        print(json.dumps({"folder": str(keeper.folder)}), flush=True)
        for line in sys.stdin:
            order = json.loads(line)
            try:
                answer = getattr(keeper, order.pop("do"))(**order)
            except Exception as error:  # whatever it was, the tests are told
                answer = {"error": f"{type(error).__name__}: {error}"}
            print(json.dumps(answer), flush=True)
    except BrokenPipeError:
        sys.stdout = None  # nobody listens: nothing is left to be flushed
    finally:
        keeper.close()


if __name__ == "__main__":
    main()
