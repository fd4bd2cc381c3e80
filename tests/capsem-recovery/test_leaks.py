"""Each of the twelve classes finds a leak of its class, planted here; and finds none where there is none."""
import contextlib
import fcntl
import os
import socket
import sqlite3
import subprocess
import sys

import pytest

from support import leaks
from support.capsem_home import CapsemHome

pytestmark = pytest.mark.recovery


@pytest.fixture(scope="module", name="resting")
def fixture_resting():
    """A service with nothing in it: what it holds then."""
    with CapsemHome() as home:
        leaks.assert_none(home)  # its probes are over
        resting = leaks.holdings(home)
        leaks.assert_none(home, resting)
        yield home, resting


@contextlib.contextmanager
def stranger(home, program, **options):
    """A process that works in the home, once it has said so."""
    with subprocess.Popen([sys.executable, "-c", f"{program}\nprint(flush=True)\nimport time\ntime.sleep(1000)"], cwd=home.home,
                          stdout=subprocess.PIPE, **options) as process:
        assert process.stdout.readline() == b"\n"
        yield process
        process.kill()


@contextlib.contextmanager
def file(path, text=""):
    with open(path, "w", encoding="utf-8") as made:
        made.write(text)
    yield
    os.unlink(path)


@contextlib.contextmanager
def folder(path):
    os.mkdir(path, 0o700)
    yield
    os.rmdir(path)


@contextlib.contextmanager
def bound_socket(path):
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(path)
        yield
    os.unlink(path)


@contextlib.contextmanager
def row(home, **columns):
    columns = {"id": "aaaaaaaaaaaa", "kind": "persistent", "state": "stopped", "reason": "", "image": "base", "image_digest": "",
               "cpus": 1, "memory_mib": 256, "accelerator": "tcg", "used": 0, "created_unix_ms": 1, **columns}

    def change(*statement):
        with contextlib.closing(sqlite3.connect(f"{home.home}/registry.db")) as registry, registry:
            registry.execute(*statement)

    change(f"INSERT INTO sessions ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})", [*columns.values()])
    yield
    change("DELETE FROM sessions WHERE id = ?", [columns["id"]])


@contextlib.contextmanager
def lock(path):
    with open(path, "w", encoding="utf-8") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
    os.unlink(path)


@contextlib.contextmanager
def mount(path):
    subprocess.run(["mount", "-t", "tmpfs", "planted", path], check=True)
    yield
    subprocess.run(["umount", path], check=True)


@contextlib.contextmanager
def more_open_files(home):
    """A client's connections are descriptors of the service."""
    with contextlib.ExitStack() as connections:
        for _ in range(2):
            connection = connections.enter_context(socket.socket(socket.AF_UNIX))
            connection.connect(home.socket)
        yield


# The class → what is planted for it.
PLANTED = {
    "processes": lambda home: stranger(home, ""),
    "zombies": lambda home: stranger(home, "import os\npid = os.fork()\nif not pid: os._exit(0)\n"
                                           "os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)"),
    "sockets": lambda home: bound_socket(f"{home.home}/run/other.sock"),
    "fds": more_open_files,
    "memfds": lambda home: stranger(home, "import os\nmemory = os.memfd_create('launch-spec')"),
    "folders": lambda home: folder(f"{home.home}/run/new"),
    "temporary_files": lambda home: file(f"{home.home}/cache.json.x1Y2z3"),
    "locks": lambda home: lock(f"{home.home}/run/service.start"),
    "mounts": lambda home: mount(f"{home.home}/sessions"),
    "rows_without_folders": row,
    "folders_without_rows": lambda home: folder(f"{home.home}/sessions/bbbbbbbbbbbb"),
    "pid_files": lambda home: file(f"{home.home}/run/qemu.pid", "1\n"),
}


def test_every_class_has_a_leak_planted():
    assert list(PLANTED) == [each.__name__ for each in leaks.CLASSES]


@pytest.mark.smoke
@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_leak_is_found(resting, name):
    home, held = resting
    with PLANTED[name](home):
        assert name in leaks.find(home, held)
        with pytest.raises(AssertionError, match=f"left behind: .*{name}"):
            leaks.assert_none(home, held, limit=0)
    leaks.assert_none(home, held)


def test_a_socket_whose_file_is_gone_is_found(resting):
    home, held = resting
    program = f"import os, socket\ns = socket.socket(socket.AF_UNIX)\ns.bind('{home.home}/run/x')\nos.unlink('{home.home}/run/x')"
    with stranger(home, program):
        assert leaks.find(home, held)["sockets"] == ["run/x is bound, and no file"]


def test_a_removed_file_that_is_open_is_found(resting):
    home, held = resting
    program = f"import os\nf = open('{home.home}/run/x', 'w')\nos.unlink('{home.home}/run/x')"
    with stranger(home, program):
        assert "run/x (deleted)" in leaks.find(home, held)["fds"][0]


def test_a_row_with_a_pid_that_is_nobodys_is_found(resting):
    home, held = resting
    with row(home, process_pid=1), folder(f"{home.home}/sessions/aaaaaaaaaaaa"):
        assert leaks.find(home, held)["pid_files"] == ["the row of aaaaaaaaaaaa says 1"]
