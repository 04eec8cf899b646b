# SPDX-License-Identifier: BSD-3-Clause
"""A program in a pseudo-terminal: what a human would see and type."""
import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import time


class Terminal:
    """with Terminal(arguments, ...) as t: t.expect("Token: "); t.type("x"); t.end()"""

    def __init__(self, arguments, environment, folder, columns=100):
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        self.process = subprocess.Popen(
            [str(word) for word in arguments], stdin=slave, stdout=slave, stderr=slave,
            env=environment, cwd=folder, start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        os.close(slave)
        self.seen = ""
        self.at = 0  # what was expected so far ends here

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self.master)

    def _read(self, seconds):
        if not select.select([self.master], [], [], seconds)[0]:
            return True
        try:
            data = os.read(self.master, 65536)
        except OSError:  # the other end is closed
            return False
        self.seen += data.decode(errors="replace")
        return bool(data)

    def expect(self, text, seconds=20):
        deadline = time.monotonic() + seconds
        while text not in self.seen[self.at:]:
            assert time.monotonic() < deadline, f"{text!r} did not come:\n{self.seen}"
            assert self._read(0.1) or text in self.seen[self.at:], \
                f"it ended before {text!r}:\n{self.seen}"
        self.at = self.seen.index(text, self.at) + len(text)

    def type(self, text, end="\n"):
        os.write(self.master, (text + end).encode())

    def echoes(self):
        return bool(termios.tcgetattr(self.master)[3] & termios.ECHO)

    def wait_for_echo(self, wanted, seconds=10):
        deadline = time.monotonic() + seconds
        while self.echoes() != wanted:
            assert time.monotonic() < deadline, f"echo is not {wanted}:\n{self.seen}"
            time.sleep(0.01)

    def end(self, seconds=30):
        """Reads to the end; the exit status."""
        deadline = time.monotonic() + seconds
        while self._read(0.1):
            assert time.monotonic() < deadline, f"it does not end:\n{self.seen}"
            if self.process.poll() is not None and not select.select([self.master], [], [], 0)[0]:
                break
        return self.process.wait(seconds)
