"""Somebody else's files, sockets and processes, and the program that tries to reach them (confined_probe_main.cpp)."""
import contextlib
import ctypes
import errno
import functools
import os
import pathlib
import socket
import subprocess
import tempfile

from support import paths

PROGRAM = paths.BUILD / "tests" / "confined_probe"
# Seconds; no probe waits for anything.
LIMIT = 120
NEEDS_ROOT = -1
# What the kernel says of what is held back; EBADF of execveat by a descriptor that cannot be had, EXDEV of a move out
# of a folder where Landlock is at ABI 1.
DENIED = {errno.EPERM, errno.EACCES, errno.ENOSYS, errno.EBADF, errno.EXDEV}


@contextlib.contextmanager
def _listener(address, family=socket.AF_UNIX):
    with socket.socket(family) as listener:
        listener.bind(address)
        listener.listen(16)
        yield listener


@contextlib.contextmanager
def _victim():
    process = subprocess.Popen(["sleep", "infinity"], env={"SECRET": "of somebody else"})
    try:
        yield process.pid
    finally:
        process.kill()
        process.wait()


def counts():
    """(capsem-process, QEMU): how many system calls each has."""
    words = subprocess.run([PROGRAM, "counts"], check=True, capture_output=True, timeout=LIMIT).stdout.split()
    return int(words[0]), int(words[1])


@functools.cache
def landlock_abi():
    """Of this kernel, as far as our programs know it; 0 = it has none."""
    in_force, _told = answers("process")
    # 444: landlock_create_ruleset, asked for the version.
    assert (in_force > 0) == (ctypes.CDLL(None).syscall(444, None, 0, 1) > 0)
    return in_force


def answers(mode, abi=1000):
    """(ABI of Landlock that was in force, {probe: errno}); mode: free, process or qemu."""
    with tempfile.TemporaryDirectory(prefix="confined-") as folder, contextlib.ExitStack() as stack:
        root = pathlib.Path(folder)
        own, other, home = root / "sessions/own", root / "sessions/other", root / "home"
        for new in (own, other, home):
            new.mkdir(parents=True)
        for file in (other / "disk.img", home / "file", home / "doomed", home / "moved"):
            file.write_text("of somebody else")
        abstract = f"capsem-confined-{os.getpid()}-{root.name}"
        for address in (str(root / "service.sock"), str(root / "bus"), "\0" + abstract):
            stack.enter_context(_listener(address))
        tcp = stack.enter_context(_listener(("127.0.0.1", 0), socket.AF_INET))
        targets = {"home": home, "sessions": root / "sessions", "other": other, "own_folder": own,
                   "service_socket": root / "service.sock", "bus_socket": root / "bus", "abstract_name": abstract,
                   "tcp_port": tcp.getsockname()[1], "victim": stack.enter_context(_victim())}
        done = subprocess.run([PROGRAM, mode, str(abi), *(f"{key}={value}" for key, value in targets.items())],
                              capture_output=True, timeout=LIMIT, text=True)
        assert done.returncode == 0, done.stderr
        lines = (own / "answers").read_text().splitlines()
        return int(done.stdout or 0), {name: int(error) for error, name in (line.split("\t") for line in lines)}
