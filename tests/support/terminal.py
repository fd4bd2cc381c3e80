"""A program at a terminal of the test's own, as a person has it."""
import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import time


class Terminal:
    """`command` runs with a terminal for everything, which is its controlling one."""

    def __init__(self, command, env, rows=24, cols=80):
        # Both ends are kept: the settings can be looked at after the program has gone.
        self.master, self.peer = pty.openpty()
        self.resize(rows, cols)
        self.before = termios.tcgetattr(self.peer)
        self.seen = b""
        self.process = subprocess.Popen(["setsid", "--ctty", *command], stdin=self.peer, stdout=self.peer, stderr=self.peer,
                                        env=env, cwd="/")

    def resize(self, rows, cols):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))

    def type(self, text):
        os.write(self.master, text.encode())

    def until(self, text, limit=60):
        """Reads until `text` is there, and takes all up to its end."""
        wanted, end = text.encode(), time.monotonic() + limit
        while wanted not in self.seen:
            ready, _, _ = select.select([self.master], [], [], max(0, end - time.monotonic()))
            assert ready, f"not within {limit} s: {text!r}; the terminal shows {self.seen!r}"
            self.seen += os.read(self.master, 65536)
        shown, self.seen = self.seen.split(wanted, 1)
        return shown.decode(errors="replace")

    def is_restored(self):
        return termios.tcgetattr(self.peer) == self.before

    def is_raw(self):
        return not termios.tcgetattr(self.peer)[3] & termios.ICANON

    def wait(self, limit=60):
        return self.process.wait(limit)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.master)
        os.close(self.peer)
