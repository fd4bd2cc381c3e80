"""The verbs on sessions: what they print, and the three commonest failures of each."""
import os
import pty
import select
import time

import pytest

from support.fixtures import capsem  # noqa: F401 (fixture)

pytestmark = pytest.mark.cli


@pytest.fixture(scope="module")
def sessions(capsem):  # noqa: F811
    """One that stays and is stopped, one that stays and runs, one that does not stay."""
    stopped, runs, mortal = capsem.create("-n", "stopped"), capsem.create("-n", "runs"), capsem.create()
    capsem.ok("stop", "stopped")
    return {"stopped": stopped, "runs": runs, "mortal": mortal}


# The words, with the sessions' ids for {}: exit code, a part of the cause, a part of the remedy.
FAILURES = [
    (["start", "nobody"], 3, "there is no session nobody", "capsem list"),
    (["start", "../x"], 2, "can be neither the id nor the name", "capsem list"),
    (["start"], 2, "start wants a session", "capsem start box"),
    (["restart", "nobody"], 3, "there is no session nobody", "capsem list"),
    (["restart", "{mortal}"], 4, "does not stay", "capsem persist"),
    (["restart", "--grace", "x", "runs"], 2, "--grace x is no number", "--help"),
    (["stop", "stopped"], 4, "it does not run", "capsem start stopped"),
    (["persist", "runs", "other"], 4, "it stays already", "capsem rename runs NAME"),
    (["persist", "{mortal}", "runs"], 3, "a session called runs exists", "another name"),
    (["persist", "{mortal}", "a b"], 2, "cannot be the name of a session", "letters"),
    (["rename", "stopped", "runs"], 3, "a session called runs exists", "another name"),
    (["rename", "{mortal}", "other"], 4, "only sessions that stay have names", "capsem persist {mortal} NAME"),
    (["rename", "stopped", ""], 2, "cannot be the name of a session", "letters"),
    (["purge"], 2, "there is nobody to ask", "-y"),
    (["create", "-n", "runs"], 3, "a session called runs exists", "capsem delete"),
]


@pytest.mark.parametrize("words, code, cause, remedy", FAILURES, ids=[" ".join(words) for words, *_ in FAILURES])
def test_a_failure_has_its_code_its_cause_and_what_helps(capsem, sessions, words, code, cause, remedy):  # noqa: F811
    got, said, helps = capsem.cli.error(*[word.format(**sessions) for word in words])
    assert got == code
    assert cause in said
    assert remedy.format(**sessions) in helps


def test_what_they_print(capsem, sessions):  # noqa: F811
    assert capsem.ok("start", "runs").text == "runs\n"
    assert capsem.ok("start", "runs", "-q").text == ""
    assert capsem.ok("start", "runs", "--json").json == ["runs"]
    renamed = capsem.ok("rename", "stopped", "halted", "--json").json
    assert (renamed["id"], renamed["name"], renamed["kind"]) == (sessions["stopped"], "halted", "persistent")
    assert capsem.ok("rename", "halted", "stopped").text == f"{sessions['stopped']}\n"


def test_of_several_each_is_told_and_the_first_failure_is_the_code(capsem, sessions):  # noqa: F811
    done = capsem.run("start", "runs", "nobody", "../x")
    assert (done.code, done.text) == (3, "runs\n")
    assert "nobody" in done.err and "neither" in done.err


def ask(capsem, *words, answer):  # noqa: F811
    """Exit code and all that stood on the terminal."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(capsem.cli.program, ["capsem", *words], capsem.cli.environment)
    shown, end = b"", time.monotonic() + 60
    asked = False
    while time.monotonic() < end and select.select([terminal], [], [], 60)[0]:
        try:
            shown += os.read(terminal, 4096)
        except OSError:  # the end of a terminal
            break
        if b"[y/N]" in shown and not asked:
            asked = True
            os.write(terminal, answer)
    _, status = os.waitpid(pid, 0)
    os.close(terminal)
    return os.waitstatus_to_exitcode(status), shown.decode()


def test_purge_asks_on_a_terminal_and_does_nothing_without_a_yes(capsem, sessions):  # noqa: F811
    for answer in (b"n\n", b"\n", b"maybe\n"):
        code, shown = ask(capsem, "purge", answer=answer)
        assert code == 7, shown
        assert sessions["mortal"] in shown and sessions["runs"] not in shown
        assert capsem.info(sessions["mortal"])["state"] in ("creating", "running")
    code, shown = ask(capsem, "purge", "--all", answer=b"n\n")
    assert code == 7 and "these 3 sessions" in shown


def test_purge_with_a_yes_deletes_what_does_not_stay(capsem, sessions):  # noqa: F811
    code, shown = ask(capsem, "purge", answer=b"y\n")
    assert code == 0, shown
    assert sorted(one["name"] for one in capsem.ok("list", "--json").json) == ["runs", "stopped"]
    code, shown = ask(capsem, "purge", answer=b"y\n")
    assert code == 0 and "[y/N]" not in shown, "nothing to delete, nothing to ask"
