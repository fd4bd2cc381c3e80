"""tools/dev/bounded: the command's own end, or everything's end."""
import os
import signal
import subprocess

import pytest
from support import paths
from support.eventually import eventually

pytestmark = pytest.mark.recipes

BOUNDED = paths.ROOT / "tools/dev/bounded"


@pytest.mark.parametrize("script,code", [("exit 0", 0), ("exit 42", 42), ("kill -KILL $$", 137)])
def test_the_exit_code_is_the_commands(script, code):
    assert subprocess.run([BOUNDED, "60", "sh", "-c", script]).returncode == code


def test_a_program_that_is_not_there_is_named():
    done = subprocess.run([BOUNDED, "60", "/no/such/program"], text=True, capture_output=True)
    assert (done.returncode, done.stderr) == (127, "bounded: /no/such/program: No such file or directory\n")


def test_what_our_caller_ignores_is_not_ignored_by_the_command():
    script = f"trap '' HUP INT QUIT; exec {BOUNDED} 60 grep SigIgn /proc/self/status"
    done = subprocess.run(["sh", "-c", script], text=True, capture_output=True)
    assert done.stdout == "SigIgn:\t0000000000000000\n"


def is_gone(pid):
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_at_the_limit_daemons_die_too(tmp_path):
    script = f"(setsid sh -c 'echo $$ > {tmp_path}/pid; exec sleep 600' &) ; exec sleep 600"
    done = subprocess.run([BOUNDED, "1", "sh", "-c", script], text=True, capture_output=True)
    assert done.returncode == 124
    assert "over after 1 s" in done.stderr
    assert is_gone(int((tmp_path / "pid").read_text()))


def test_the_command_dies_with_bounded(tmp_path):
    bounded = subprocess.Popen([BOUNDED, "60", "sh", "-c", f"echo $$ > {tmp_path}/pid; exec sleep 600"])
    pid = eventually("the command has started", 30,
                     lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text().strip())
    os.kill(bounded.pid, signal.SIGKILL)
    bounded.wait()
    eventually("the command is gone", 10, lambda: is_gone(int(pid)))


def test_orphans_that_end_are_reaped_while_the_command_runs(tmp_path):
    pid = tmp_path / "pid"
    script = f"(setsid sh -c 'echo $$ > {pid}' &); until [ -s {pid} ]; do :; done; while [ -e /proc/$(cat {pid}) ]; do :; done"
    assert subprocess.run([BOUNDED, "30", "sh", "-c", script], check=False).returncode == 0
