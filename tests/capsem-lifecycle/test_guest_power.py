"""`poweroff`, `halt`, `reboot`, `shutdown` and `suspend` in the guest, and the system call itself."""
import pytest

from support import capsem_home
from support.eventually import eventually

pytestmark = pytest.mark.lifecycle

# Past all of our programs: what the kernel is told.
SYSCALL = "import ctypes; ctypes.CDLL(None).reboot(ctypes.c_int({}))"
POWER_OFF, RESTART = "0x4321fedc", "0x01234567"
OFF = [["poweroff"], ["halt"], ["shutdown", "-h", "now"], ["poweroff", "-f"], ["kill", "-TERM", "1"],
       ["python3", "-c", SYSCALL.format(POWER_OFF)]]
AGAIN = [["reboot"], ["shutdown", "-r", "now"], ["python3", "-c", SYSCALL.format(RESTART)]]


def state(capsem, name):
    return capsem.info(name)["state"]


def say(capsem, box, words):
    # The machine goes while it is said: how that call ends is not the point.
    capsem.exec(box, "sh", "-c", 'echo kept > /root/file; sync; "$@"; sleep 1000', "sh", *words)


@pytest.mark.parametrize("words", OFF, ids=lambda words: " ".join(words)[:20])
def test_it_ends_and_what_was_written_is_kept(capsem, words):
    box = capsem.create("-n", "off")
    say(capsem, box, words)
    eventually("it is stopped", 20, lambda: state(capsem, box) == "stopped")
    assert capsem.info(box)["reason"] == "it powered itself off"
    capsem.ok("start", box)
    assert capsem.exec(box, "cat", "/root/file").text == "kept\n"
    capsem.ok("delete", box)


@pytest.mark.parametrize("words", AGAIN, ids=lambda words: " ".join(words)[:20])
def test_it_comes_back_by_itself(capsem, words):
    box = capsem.create("-n", "again")
    assert capsem.exec(box, "true").code == 0  # a machine that is still starting has no pid yet
    before = capsem.info(box)
    say(capsem, box, words)
    eventually("another machine runs", 60, lambda: capsem.info(box)["machine_pid"] not in (0, before["machine_pid"]))
    assert capsem.exec(box, "cat", "/root/file").text == "kept\n"
    assert not capsem_home.alive(before["machine_pid"])
    capsem.ok("delete", box)


def test_a_session_that_does_not_stay_is_gone_after_its_reboot(capsem):
    box = capsem.create()
    say(capsem, box, ["reboot"])
    eventually("it is gone", 20, lambda: capsem.run("info", box).code == 3)


def test_what_it_cannot_do_it_says(capsem, box):
    assert capsem.exec(box, "shutdown", "+5").code == 2
    assert "usage: reboot" in capsem.exec(box, "reboot", "--help").text
    as_user = capsem.exec(box, "python3", "-c", "import os; os.setuid(1000); os.execvp('poweroff', ['poweroff'])")
    assert as_user.code == 1 and "only root" in as_user.err
    assert capsem.exec(box, "echo", "alive").text == "alive\n"


@pytest.mark.parametrize("words", [["suspend"], ["bash", "-lc", "suspend"]], ids=["program", "in a shell"])
def test_suspend_says_what_to_do_instead(capsem, box, words):
    said = capsem.exec(box, *words)
    assert said.code == 1
    assert "cannot be suspended" in said.err and "poweroff" in said.err and "capsem start" in said.err
    assert capsem.exec(box, "suspend", "--help").text.startswith("usage: suspend")
