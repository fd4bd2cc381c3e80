"""The disk with the state becomes read-only under a service that is killed: the next one has every machine, and so has the
one after it, when the disk can be written again. Sockets and locks are elsewhere, as XDG_RUNTIME_DIR is."""
import os
import signal

import pytest

from support import cli, mounts

pytestmark = pytest.mark.lifecycle


@pytest.fixture
def folders(home):
    """`home`, with its state in a folder of its own."""
    state = f"{home.home}/state/capsem"
    os.makedirs(state, mode=0o700)
    for entry in list(os.scandir(home.home)):
        if entry.is_symlink():
            os.rename(entry.path, f"{state}/{entry.name}")
    os.mkdir(f"{home.home}/rt", 0o700)
    home.cli = cli.Cli(home.home, CAPSEM_HOME="", XDG_STATE_HOME=f"{home.home}/state", XDG_RUNTIME_DIR=f"{home.home}/rt")
    yield home
    home.cli.prefix = []
    home.cli.text("service", "stop")


def sessions(capsem):
    return {(one["name"], one["state"], one["process_pid"], one["machine_pid"]) for one in capsem.json("list")}


def test_a_service_on_a_read_only_disk_has_every_machine(folders):
    capsem = folders.cli
    box = capsem.text("create", "-q", "-n", "box", "--memory", "256").strip()
    mortal = capsem.text("create", "-q", "--memory", "256").strip()
    for session in (box, mortal):
        assert capsem.run("exec", session, "--", "true").returncode == 0
    before = sessions(capsem)
    os.kill(capsem.json("status")["pid"], signal.SIGKILL)
    capsem.prefix = mounts.privately(mounts.read_only(f"{folders.home}/state"))
    assert sessions(capsem) == before
    assert capsem.text("exec", box, "--", "echo", "alive") == "alive\n"
    said = capsem.json("status")
    assert any("cannot be recorded" in problem and "read-only" in problem.lower() for problem in said["problems"]), said
    for words in (["rename", box, "crate"], ["create"], ["persist", mortal]):
        code, cause, _remedy = capsem.error(*words)
        assert code == 8 and "read-only" in cause.lower(), (words, cause)
    os.kill(said["pid"], signal.SIGKILL)
    capsem.prefix = []
    assert sessions(capsem) == before
    capsem.text("rename", box, "crate")
    assert capsem.text("exec", "crate", "--", "echo", "alive") == "alive\n"
