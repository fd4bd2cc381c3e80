"""The wall clock is set back and forth, of the host under our programs and in the guest: nothing ends, waits or is lost."""
import calendar
import json
import os
import shutil
import signal
import struct
import time

import pytest

from support import mounts, paths, process_tree
from support.eventually import eventually

pytestmark = pytest.mark.integration

HOUR = 3600
LEASE = 5


@pytest.fixture
def clocked(home):
    """`home`, where all that runs has the clock that `step` sets."""
    shim = f"{home.home}/clock_shift.so"
    shutil.copy(paths.BUILD / "tests/clock_shift.so", shim)
    with open(f"{home.home}/config.toml", "w", encoding="utf-8") as config:
        config.write(f"orphan_lease_s = {LEASE}\n")
    layers = f"{home.home}/layers"
    os.mkdir(layers)
    home.step = lambda seconds: step(f"{shim}.seconds", seconds)
    home.step(0)
    home.cli.prefix = mounts.privately("\n".join([
        f"mount -t tmpfs layers {layers}", f"mkdir {layers}/upper {layers}/work",
        f"echo {shim} > {layers}/upper/ld.so.preload",
        f"mount -t overlay -o lowerdir=/etc,upperdir={layers}/upper,workdir={layers}/work cover /etc"]))
    yield home
    home.cli.text("service", "stop")


def step(path, seconds):
    """In place: who has mapped it sees it."""
    with open(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+b", buffering=0) as file:
        file.write(struct.pack("q", seconds))


def told(home, session, words):
    """The lines of a machine's log with these words."""
    with open(f"{home.session_folder(session)}/process.log", encoding="utf-8") as log:
        return [json.loads(line) for line in log if words in line]


def step_while_the_lease_runs(home, session, seconds):
    words = "nobody stands behind this machine"
    before = len(told(home, session, words))
    os.kill(home.cli.json("status")["pid"], signal.SIGKILL)
    eventually("its lease runs", 5, lambda: len(told(home, session, words)) > before)
    home.step(seconds)


def hours_off(millis):
    return round((millis / 1000 - time.time()) / HOUR)


def test_a_step_of_the_hosts_clock_over_a_crash_moves_no_machine(clocked):
    cli = clocked.cli
    box = cli.text("create", "-q", "-n", "box", "--memory", "256").strip()
    assert cli.run("exec", box, "--", "true").returncode == 0
    before = cli.json("info", box)
    for hours in (1, -1):
        step_while_the_lease_runs(clocked, box, hours * HOUR)
        assert cli.json("info", box) == before
        clocked.step(0)
        assert cli.json("info", box) == before
        assert cli.run("exec", "--timeout", "60", box, "--", "true").returncode == 0
        # The clock was really another one.
        assert hours_off(cli.json("status")["started_unix_ms"]) == hours
    # Set back while its lease runs: it ends nevertheless, and says so in the time of that clock.
    process = process_tree.find(before["process_pid"])
    step_while_the_lease_runs(clocked, box, -HOUR)
    eventually("the machine has ended with its lease", LEASE + 30, lambda: not process.is_alive())
    [last] = told(clocked, box, "no capsem-service came back: this machine is stopped")
    moment = time.strptime(last["time"].split(".")[0] + " UTC", "%Y-%m-%dT%H:%M:%S %Z")
    assert hours_off(calendar.timegm(moment) * 1000) == -1
    found = cli.json("info", box)
    assert found["state"] == "stopped" and found["created_unix_ms"] == before["created_unix_ms"]


def test_a_step_of_the_guests_clock_neither_ends_nor_spares_a_command_with_a_timeout(capsem):
    session = capsem.create("--memory", "256")
    steps = "date -s '1 hour' >&2 && sleep 1 && echo later && date -s '2 hours ago' >&2 && sleep 1 && echo earlier && sleep 1000"
    said = capsem.run("exec", "--timeout", "5", session, "--", "sh", "-c", steps, limit=60)
    assert said.code == 124, said
    assert said.text == "later\nearlier\n", said
    assert hours_off(int(capsem.exec(session, "date", "+%s").text) * 1000) == -1
    capsem.ok("delete", session)
