"""The host's disk fills up under a machine: it stands still and says so, and goes on when there is room. And under a
service that is killed: the next one has every machine, says what it cannot record, and records it when there is room."""
import os
import signal
import subprocess

import pytest

from support import mounts
from support.eventually import eventually

pytestmark = pytest.mark.lifecycle


@pytest.fixture
def small_home(home):
    """`home` on a disk of 200 MiB that only its service and what we run with its prefix see."""
    with open(f"{home.home}/config.toml", "w", encoding="utf-8") as config:
        config.write("min_free_mib = 64\n")
    shared = [f"ln -s {os.readlink(entry.path)} {entry.path}" for entry in os.scandir(home.home) if entry.is_symlink()]
    keep = f"config=$(cat {home.home}/config.toml)"
    copy = f'echo "$config" > {home.home}/config.toml'
    home.cli.prefix = mounts.privately("\n".join([keep, mounts.small_disk(home.home, 200), copy, *shared]))
    service = home.cli.json("status")["pid"]
    home.cli.prefix = ["nsenter", "--mount", "--root", "--target", str(service), "--"]
    yield home
    home.cli.text("service", "stop")


def fill(home):
    """Takes all that is free: dd ends when nothing is."""
    subprocess.run([*home.cli.prefix, "dd", "if=/dev/zero", f"of={home.home}/fill", "bs=64k"], check=False, capture_output=True)


def free(home):
    subprocess.run([*home.cli.prefix, "rm", f"{home.home}/fill"], check=True)


def unrecorded(cli):
    """What `status` says of what cannot be recorded; "" when all can."""
    return "".join(text for text in cli.json("status")["problems"] if "cannot be recorded" in text)


def sessions(cli):
    return {(one["name"], one["state"], one["process_pid"]) for one in cli.json("list")}


def kill_service(cli):
    """By the machines' namespace, which stays."""
    os.kill(cli.json("status")["pid"], signal.SIGKILL)


def test_a_machine_whose_disk_has_no_room_waits_and_goes_on(small_home):
    cli = small_home.cli
    session = cli.text("create", "-q", "-n", "box", "--memory", "256").strip()
    assert cli.run("exec", session, "--", "true").returncode == 0
    fill(small_home)
    writer = cli.start("exec", session, "--", "sh", "-c", "tr '\\0' x < /dev/zero | head -c 16M > /root/file && sync && sha256sum /root/file")
    said = eventually("it says that it waits", 60, lambda: (found := cli.json("info", session))["reason"] and found)
    assert said["state"] == "running" and "full" in said["reason"] and "goes on by itself" in said["reason"]
    assert [one["id"] for one in cli.json("list")] == [session]
    assert writer.poll() is None
    free(small_home)
    out, err = writer.communicate(timeout=100)
    assert writer.returncode == 0, err
    assert out.split()[0] == subprocess.run("tr '\\0' x < /dev/zero | head -c 16M | sha256sum", shell=True, check=True,
                                            capture_output=True).stdout.split()[0]
    assert cli.json("info", session)["reason"] == ""


def test_a_service_that_starts_on_a_full_disk_has_every_machine(small_home):
    cli = small_home.cli
    for words in (["-n", "box"], []):
        session = cli.text("create", "-q", "--memory", "256", *words).strip()
        assert cli.run("exec", session, "--", "true").returncode == 0
    before = sessions(cli)
    process = cli.json("info", session)["process_pid"]
    cli.prefix[-2] = str(process)
    kill_service(cli)
    # The room that the index of the registry's log has is taken, too.
    subprocess.run([*cli.prefix, "truncate", "-s", "0", f"{small_home.home}/registry.db-shm"], check=True)
    fill(small_home)
    assert sessions(cli) == before
    assert cli.text("exec", "box", "--", "echo", "alive") == "alive\n"
    assert "free some disk space" in unrecorded(cli)
    for words in (["rename", "box", "crate"], ["persist", session, "kept"], ["create"]):
        code, cause, remedy = cli.error(*words)
        assert code == 5 and "free some" in remedy, (words, cause, remedy)
    # What happens meanwhile is told at once, and recorded later.
    # By force: what its guest would write at its end has no room either.
    cli.text("stop", "--grace", "0", "box")
    told = {("box", "stopped", 0), ("", "running", process)}
    assert sessions(cli) == told
    free(small_home)
    eventually("all of it is recorded", 10, lambda: not unrecorded(cli))
    kill_service(cli)
    assert sessions(cli) == told
    cli.text("persist", session, "kept")
