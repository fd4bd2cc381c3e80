"""What one machine can do to be a nuisance to its neighbours: one thing at a time, counted, and ended by its verb.

    with floods.running("disk", capsem, session) as flood:
        before = flood.progress()
"""
import contextlib
import pathlib
import re
import signal
import subprocess
import sys

from support import rpc
from support.eventually import eventually

TESTS = pathlib.Path(__file__).resolve().parents[1]
# Seconds from its start until a flood is seen to flood, on two cores that have other work.
START_LIMIT = 60


class InGuest:
    """A shell line that goes on until it is killed; the guest's kernel counts what it does."""
    pids = {}

    def __init__(self, capsem, session, line, counter, pattern):
        self._api, self._session = capsem.api, session
        self._counter, self._pattern = counter, re.compile(pattern, re.MULTILINE)
        self._events = self._api.start(session, line, limit=None)
        self._exec = next(self._events).started.exec

    def progress(self):
        said = self._api.exec(self._session, self._counter)
        assert said.code == 0, said.stderr
        return sum(int(number) for number in self._pattern.findall(said.stdout.decode()))

    def end(self):
        self._api.signal(self._session, self._exec, signal.SIGKILL)
        rest = list(self._events)
        assert [event.WhichOneof("kind") for event in rest] == ["exit"], rest


class Printing:
    """A command that prints as fast as it is read, and `capsem exec` that reads it."""

    def __init__(self, capsem, session):
        self._api, self._session = capsem.api, session
        known = set(self._api.execs_of(session))
        self._reader = capsem.popen("exec", session, "--", "cat", "/dev/zero", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.pids = {"its reader": self._reader.pid}
        self._exec, = eventually("the command is known", START_LIMIT, lambda: set(self._api.execs_of(session)) - known)

    def progress(self):
        return self._api.execs_of(self._session)[self._exec].end_offset

    def end(self):
        self._api.signal(self._session, self._exec, signal.SIGKILL)
        code = self._reader.wait(START_LIMIT)
        assert code == 128 + signal.SIGKILL, code


class Chattering:
    """Commands that print a line each as fast as they can, all at once, and nobody reads: a channel for each."""
    CHANNELS = 64
    pids = {}

    def __init__(self, capsem, session):
        self._api, self._session = capsem.api, session
        self._execs = [self._api.detach(session, "while :; do echo x; done", when_full=rpc.execs_pb2.WHEN_FULL_DROP)
                       for _ in range(self.CHANNELS)]

    def progress(self):
        told = self._api.execs_of(self._session)
        return sum(told[number].end_offset for number in self._execs)

    def end(self):
        for number in self._execs:
            self._api.signal(self._session, number, signal.SIGKILL)
        eventually("they have ended", START_LIMIT, lambda: all(self._api.execs_of(self._session)[number].HasField("exit")
                                                               for number in self._execs))


class Execs:
    """Commands that do nothing, as many as are answered (exec_flood.py)."""

    def __init__(self, capsem, session):
        self._client = subprocess.Popen([sys.executable, "-B", "-m", "support.exec_flood", capsem.socket, session], cwd=TESTS,
                                        text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.pids = {"its client": self._client.pid}

    def progress(self):
        self._client.stdin.write("\n")
        self._client.stdin.flush()
        return int(self._client.stdout.readline())

    def end(self):
        with self._client:
            self._client.stdin.close()
        assert self._client.returncode == 0


# Name → how it is started, and what is counted of it. A spin is what the others are compared with.
FLOODS = {
    "spin": (InGuest, "ticks", "while :; do :; done", "head -n 1 /proc/stat", r"^cpu +(\d+)"),
    "console": (InGuest, "bytes", "exec yes $(printf %0100d 0) > /dev/console", "cat /proc/tty/driver/serial", r"^0:.* tx:(\d+)"),
    # Written sectors are the seventh number.
    "disk": (InGuest, "sectors", "while dd if=/dev/zero of=/root/flood bs=64k count=256 oflag=direct conv=fsync,notrunc status=none;"
             " do :; done", "cat /sys/block/vd?/stat", r"^(?: *\d+){6} +(\d+)"),
    "link": (Printing, "bytes"),
    "channel": (Chattering, "bytes"),
    "execs": (Execs, "execs"),
}


def unit(name):
    return FLOODS[name][1]


@contextlib.contextmanager
def running(name, capsem, session):
    """It floods when this gives it, and has ended afterwards."""
    kind, _unit, *how = FLOODS[name]
    flood = kind(capsem, session, *how)
    try:
        first = flood.progress()
        eventually(f"the {name} flood floods", START_LIMIT, lambda: flood.progress() > first)
        yield flood
    finally:
        flood.end()
