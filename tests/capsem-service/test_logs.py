"""`capsem logs`: the three sources, followed or not, and their bounds."""
import json
import os
import signal

import pytest

from support.eventually import eventually

pytestmark = pytest.mark.integration

MIB = 1 << 20


def say(capsem, session, text):
    """A line on the machine's console."""
    assert capsem.exec(session, "sh", "-c", f"echo '{text}' > /dev/ttyS0").code == 0


class Follower:
    """A `capsem logs --follow` that runs; what it prints is read by the line."""

    def __init__(self, capsem, *args):
        self.process = capsem.popen("logs", "--follow", *args)

    def read_until(self, word):
        for line in self.process.stdout:
            if word in line.decode(errors="replace"):
                return
        raise AssertionError(f"it ended before it printed {word}: {self.process.stderr.read().decode()}")

    def end(self):
        """(exit code, the rest of stdout, stderr)"""
        out, err = self.process.communicate(timeout=60)
        return self.process.returncode, out.decode(errors="replace"), err.decode()


@pytest.mark.parametrize("words, code", [(["--source", "nothing", "box"], 2), (["--source", "serial"], 2), (["--serial"], 2),
                                         (["--source", "process", "--serial", "box"], 2), (["--follow", "nobody"], 3),
                                         (["--source", "process", "nobody"], 3), (["--tail", "0"], 2)])
def test_what_cannot_be_shown_says_what_can(capsem, words, code):
    got, cause, remedy = capsem.cli.error("logs", *words)
    assert got == code and cause and remedy


def test_each_source_is_itself(capsem, box):
    say(capsem, box, "a word of the guest")
    serial = capsem.ok("logs", "--source", "serial", box).text
    assert "a word of the guest" in serial and serial == capsem.ok("logs", "--serial", box).text
    for line in capsem.ok("logs", "--source", "process", box).text.splitlines():
        assert json.loads(line)["session"] == box
    service = [json.loads(line) for line in capsem.ok("logs").text.splitlines()]
    assert any(line.get("session") == box for line in service)
    other = capsem.create()
    capsem.ok("delete", other)
    of_box = [json.loads(line) for line in capsem.ok("logs", "--source", "service", box).text.splitlines()]
    assert of_box == [line for line in service if line.get("session") == box]


def test_a_followed_log_ends_with_its_session(capsem):
    session = capsem.create()
    say(capsem, session, "before")
    follower = Follower(capsem, "--serial", "--tail", "1", session)
    follower.read_until("before")
    say(capsem, session, "after")
    follower.read_until("after")
    process = Follower(capsem, session)
    capsem.ok("delete", session)
    assert follower.end()[0] == 0
    assert process.end()[0] == 0


def test_a_followed_log_goes_on_over_a_stop_and_a_start(capsem):
    session = capsem.create("-n", "again")
    say(capsem, session, "first")
    follower = Follower(capsem, "--serial", session)
    follower.read_until("first")
    capsem.ok("stop", "again")
    capsem.ok("start", "again")
    say(capsem, session, "second")
    follower.read_until("second")
    capsem.ok("delete", "again")
    assert follower.end()[0] == 0


def test_ctrl_c_ends_it(capsem, box):
    say(capsem, box, "here")
    follower = Follower(capsem, "--serial", box)
    follower.read_until("here")
    follower.process.send_signal(signal.SIGINT)
    code, _, err = follower.end()
    assert code == -signal.SIGINT and err == ""


def test_the_services_log_is_followed_until_it_ends(fresh_capsem):
    follower = Follower(fresh_capsem)
    session = fresh_capsem.create()
    follower.read_until(session)
    fresh_capsem.ok("service", "stop")
    assert follower.end()[0] == 0


def test_a_log_that_has_grown_for_months_is_turned(home):
    old = b'{"message":"old"}\n'
    with open(f"{home.home}/service.log", "wb") as log:
        log.write(old * (8 * MIB // len(old) + 1))
    home.start()
    home.cli.text("list")
    assert os.path.getsize(f"{home.home}/service.log") < MIB
    assert os.path.getsize(f"{home.home}/service.log.1") >= 8 * MIB
    assert home.cli.text("logs").startswith(old.decode())
    assert "old" not in home.cli.text("logs", "--tail", "1")
    assert oct(os.stat(f"{home.home}/service.log").st_mode)[-3:] == "600"


def test_a_sessions_log_that_has_grown_for_months_is_turned(capsem):
    session = capsem.create("-n", "old")
    capsem.exec(session, "true")
    capsem.ok("stop", session)
    folder = capsem.session_folder(session)
    with open(f"{folder}/process.log", "ab") as log:
        log.write(b'{"message":"old"}\n' * (MIB // 10))
    capsem.ok("start", session)
    capsem.exec(session, "true")
    eventually("the log is turned", 30, lambda: os.path.exists(f"{folder}/process.log.1"))
    assert os.path.getsize(f"{folder}/process.log") < MIB
    capsem.ok("delete", session)
