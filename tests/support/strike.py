"""Kills a process at a point: the n-th time that one of its threads makes a state-changing system call.

A recorded run says which points there are (`recorded`), strace hits one (`Strike`): what a SIGKILL stops is the call
itself, which has then not been made. strace counts per system call and per thread, so a point names both; threads are
known by their role, for each run has others.

    with strike.Recording(pid) as recording:
        …the verb…
    for point in recording.points():
        with strike.Strike(pid, point) as blow:
            …the verb again…
            blow.hit()

A process that does not run yet is reached by `Launcher`: a program in its place that starts it under strace.
"""
import collections
import contextlib
import dataclasses
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile

from support import paths, process_tree
from support.eventually import eventually

# All that changes something outside of the process. Of the first line every call counts; of `openat` those with
# O_CREAT, of the last line those on the registry or on a socket.
CHANGES = ("clone", "clone3", "vfork", "rename", "renameat2", "unlink", "unlinkat", "mkdir", "mkdirat", "rmdir", "fsync",
           "fdatasync", "ftruncate", "fallocate", "link", "linkat", "symlink", "bind", "sendmsg", "sendto")
WRITES = ("write", "writev", "pwrite64")
TRACED = (*CHANGES, "openat", *WRITES)
# The `-b execve` of strace: what a process starts is another process.
OWN_THREADS = ("-f", "-b", "execve")
# Seconds until strace has stopped and taken every thread.
ATTACH_LIMIT = 30

_CALL = re.compile(r"^(?:(\d+) +)?(\w+)\((.*)$")
_RETURNED_ERROR = re.compile(r"\) += -1 E")


@dataclasses.dataclass(frozen=True)
class Point:
    syscall: str
    role: str      # of the thread: "main", "pool", or what gRPC calls it
    n: int         # the n-th of this system call in one such thread, other files included
    what: str = dataclasses.field(compare=False)  # the call as it was recorded, for a person

    def __str__(self):
        return f"{self.role} {self.syscall}:{self.n} {self.what}"


def role(pid, thread):
    """Of a thread: its name, and whether it is the first, or of libuv's pool (which gives no names)."""
    if thread == pid:
        return "main"
    try:
        names = [pathlib.Path(f"/proc/{pid}/task/{one}/comm").read_text(encoding="utf-8").strip() for one in (pid, thread)]
    except OSError:
        return None
    return "pool" if names[0] == names[1] else names[1]


def threads(pid, of_role):
    try:
        return [int(one) for one in os.listdir(f"/proc/{pid}/task") if role(pid, int(one)) == of_role]
    except OSError:
        return []


class _Strace:
    """strace on threads that run. Its log is whole once it has ended."""

    def __init__(self, tids, *options):
        self.folder = tempfile.mkdtemp(prefix="capsem-strike-")
        self.log = f"{self.folder}/log"
        pids = [word for tid in tids for word in ("-p", str(tid))]
        self.process = subprocess.Popen(["strace", "-y", "-s", "12", "-o", self.log, *options, *pids],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        said = b""
        for _ in tids:  # "strace: Process N attached", once for each that was named
            said = self.process.stderr.readline()
            if b"attached" not in said:
                self.close()
                raise AssertionError(f"strace did not attach: {said.decode()}")

    def lines(self):
        with open(self.log, encoding="utf-8", errors="replace") as log:
            return log.read().splitlines()

    def detach(self):
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait()

    def close(self):
        self.detach()
        self.process.stderr.close()
        shutil.rmtree(self.folder, ignore_errors=True)


class Recording:
    """Which state-changing calls a process makes meanwhile."""

    def __init__(self, pid):
        self.pid = pid
        self._strace = _Strace([pid], *OWN_THREADS, "-e", f"trace={','.join(TRACED)}")
        self._roles = {}
        self._points = None

    def __enter__(self):
        self._learn_roles()
        return self

    def _learn_roles(self):
        for one in os.listdir(f"/proc/{self.pid}/task") if os.path.exists(f"/proc/{self.pid}") else []:
            self._roles[int(one)] = role(self.pid, int(one)) or self._roles.get(int(one))

    def __exit__(self, *_):
        self._learn_roles()
        self._strace.detach()
        self._points = points_of(self._strace.lines(), self.pid, self._roles)
        self._strace.close()

    def points(self):
        return self._points


def points_of(lines, pid, roles):
    """The points of a strace log, in their order. A thread that was not there before has no role, and no points."""
    counts, found = {}, {}
    for line in lines:
        match = _CALL.match(line)
        if not match:
            continue
        thread, syscall, rest = int(match[1] or pid), match[2], match[3]
        counts[thread, syscall] = n = counts.get((thread, syscall), 0) + 1
        if roles.get(thread) and _changes_state(syscall, rest):
            point = Point(syscall, roles[thread], n, _told(rest))
            found.setdefault(point, point)
    return list(found)


def _changes_state(syscall, rest):
    if _RETURNED_ERROR.search(rest):
        return False
    if syscall == "openat":
        return "O_CREAT" in rest
    if syscall in WRITES:
        return re.match(r"\d+<(socket:|UNIX|TCP|[^>]*/registry\.db)", rest) is not None
    return True


def chosen(points, first=20, then_every=4):
    """Every point up to the `first`, of the others every so-manieth."""
    return points[:first] + points[first::then_every]


def injection(point):
    return ("-e", f"trace={point.syscall}", "-e", f"inject={point.syscall}:signal=KILL:when={point.n}")


class Strike:
    """Lies in wait for a point of a process that runs."""

    def __init__(self, pid, point):
        tids = threads(pid, point.role)
        assert tids, f"{pid} has no thread of the role {point.role}"
        self._point = point
        self._strace = _Strace(tids, *injection(point))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._strace.close()

    def has_hit(self):
        return was_hit(self._strace.lines(), self._point)

    def disarm(self):
        """Nothing is hit from here on."""
        self._strace.detach()

    def is_over(self):
        """It cannot hit any more: the process has ended, in whatever way."""
        return self._strace.process.poll() is not None

    def where(self):
        return last_call(self._strace.lines())


def was_hit(lines, point):
    """By us, and not by somebody else's SIGKILL meanwhile."""
    counts = collections.Counter(match[1] for match in map(_CALL.match, lines) if match)
    return max(counts.values(), default=0) >= point.n and any("+++ killed by SIGKILL" in line for line in lines)


def last_call(lines):
    """The call that was not made."""
    calls = [match for match in map(_CALL.match, lines) if match]
    return f"{calls[-1][2]}({_told(calls[-1][3])})" if calls else "?"


def _told(arguments):
    """Of a call's arguments, what tells a person which it is."""
    return re.split(r'\)? += |, \{|, "[^/]| <unfinished', arguments)[0][:90].rstrip(")")


def _link(source, target):
    """A copy that costs no time, where the two are on one file system."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


class Launcher:
    """A folder of our programs in which capsem-process is a script that runs it under strace, when a plan says so."""

    # $PLAN holds options of strace; -DD makes it a stranger to its tracee, which stays the child of the service.
    _SCRIPT = """#!/bin/sh
[ ! -s {folder}/plan ] || exec strace -DD -qq -y -s 12 -o {folder}/log $(cat {folder}/plan) {program} "$@"
exec {program} "$@"
"""

    def __init__(self, name="capsem-process"):
        self.folder = tempfile.mkdtemp(prefix="capsem-strike-")
        self.programs = f"{self.folder}/bin"
        self._plan, self.log = f"{self.folder}/plan", f"{self.folder}/log"
        self._point = None
        shutil.copytree(paths.BIN, self.programs, copy_function=_link)
        os.unlink(f"{self.programs}/{name}")
        with open(f"{self.programs}/{name}", "w", encoding="utf-8", opener=lambda path, how: os.open(path, how, 0o755)) as file:
            file.write(self._SCRIPT.format(folder=self.folder, program=f"{paths.BIN}/{name}"))
        # By the key of this build, which the images' folder trusts.
        subprocess.run([paths.ROOT / "tools/image/sign_binaries", "--state", paths.BUILD / "signing", self.programs], check=True)

    def close(self):
        shutil.rmtree(self.folder, ignore_errors=True)

    def _set(self, *options):
        if os.path.exists(self.log):
            os.unlink(self.log)
        with open(self._plan, "w", encoding="utf-8") as file:
            file.write(" ".join(options))

    def record(self):
        self._set(*OWN_THREADS, "-e", f"trace={','.join(TRACED)}")

    def aim(self, point):
        self._point = point
        self._set(*injection(point))

    def off(self):
        self._set()

    def disarm(self):
        """Nothing is hit from here on: who is traced goes on without, as the kernel has it when a tracer dies. By SIGTERM
        strace would wait for the program that it has started."""
        for tracer in process_tree.everybody():
            if tracer.name == "strace" and self.log.encode() in tracer.command_line:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(tracer.pid, signal.SIGKILL)
                eventually("the tracer has gone", 30, lambda tracer=tracer: not tracer.is_alive())

    def lines(self):
        if not os.path.exists(self.log):
            return []
        with open(self.log, encoding="utf-8", errors="replace") as log:
            return log.read().splitlines()

    def has_hit(self):
        return was_hit(self.lines(), self._point)

    def is_over(self):
        return any(line.partition("+++ ")[2].startswith(("killed", "exited")) for line in self.lines())

    def where(self):
        return last_call(self.lines())

    def recorded(self, pid):
        """The points of the first thread: what a process does while it starts, it does there."""
        return points_of(self.lines(), pid, {pid: "main"})


def wait_for(blow, is_over, limit):
    """Until it has hit, or cannot any more, or `is_over()`: then this run had no such point."""
    eventually("the point is reached, or the verb is over", limit, lambda: blow.has_hit() or blow.is_over() or is_over())
