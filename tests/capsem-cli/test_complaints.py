"""What can never work is said before anything is started: a cause, a remedy, the right exit code."""
import json

import pytest
from support import cli

pytestmark = pytest.mark.cli

# words, exit code, a part of the cause. exec and run have 125 for every failure of ours.
CASES = [
    (["nonsense"], 2, "there is no verb called nonsense"),
    (["image", "nonsense"], 2, "there is no verb called image nonsense"),
    (["list", "--nonsense"], 2, "there is no option --nonsense"),
    (["list", "--json=1"], 2, "--json takes no value"),
    (["create", "word"], 2, "create takes no word"),
    (["create", "-n", ""], 2, "the name is empty"),
    (["create", "-n"], 2, "-n wants a value"),
    (["create", "--cpus", "0"], 2, "--cpus 0 is no whole number"),
    (["create", "--cpus", "two"], 2, "--cpus two is no whole number"),
    (["create", "--cpus", "-1"], 2, "--cpus -1 is no whole number"),
    (["create", "--memory", "0"], 2, "--memory 0 is no whole number"),
    (["create", "--memory", "1.5"], 2, "--memory 1.5 is no whole number"),
    (["create", "--ram", "0"], 2, "--ram 0 is no number of GiB"),
    (["create", "--ram", "1", "--memory", "512"], 2, "--memory and --ram"),
    (["create", "-e", "novalue"], 2, "-e novalue is not of the form K=V"),
    (["info"], 2, "info wants one session"),
    (["info", "a", "b"], 2, "info wants one session"),
    (["stop"], 2, "stop wants a session"),
    (["stop", "--all", "box"], 2, "stop --all takes no session"),
    (["stop", "--grace", "301", "box"], 2, "--grace 301 is no number of seconds from 0 to 300"),
    (["delete"], 2, "delete wants a session"),
    (["start"], 2, "start wants a session"),
    (["restart"], 2, "restart wants a session"),
    (["restart", "--grace", "301", "box"], 2, "--grace 301 is no number of seconds from 0 to 300"),
    (["persist"], 2, "persist wants a session"),
    (["persist", "a", "b", "c"], 2, "persist wants a session"),
    (["persist", "a", ""], 2, "the name is empty"),
    (["rename", "a"], 2, "rename wants a session and its new name"),
    (["purge"], 2, "there is nobody to ask"),
    (["purge", "box"], 2, "purge takes no box"),
    (["logs", "a", "b"], 2, "logs takes one session"),
    (["logs", "--serial"], 2, "--serial wants a session"),
    (["image", "build", "word"], 2, "image build takes no word"),
    (["image", "inspect", "a", "b"], 2, "image inspect takes one image"),
    (["status", "box"], 2, "status takes no box"),
    (["exec"], 125, "exec wants a session and a command"),
    (["exec", "box"], 125, "the command is empty"),
    (["exec", "box", ""], 125, "the command is empty"),
    (["exec", "--timeout", "x", "box", "ls"], 125, "--timeout x is no number of seconds"),
    (["exec", "--timeout", "604801", "box", "ls"], 125, "--timeout 604801 is no number of seconds"),
    (["exec", "-e", "=1", "box", "ls"], 125, "-e =1 is not of the form K=V"),
    (["exec", "--when-full", "never", "box", "ls"], 125, "--when-full never is neither wait nor drop"),
    (["exec", "-u", "me", "box", "ls"], 125, "--user me is no whole number"),
    (["exec", "-ix", "box", "ls"], 125, "there is no option -ix"),
    (["attach", "box"], 125, "attach wants a session and the number of a command"),
    (["attach", "box", "0"], 125, "0 is no number of a command"),
    (["attach", "--offset", "-1", "box", "1"], 125, "--offset -1 is no number of bytes"),
    (["shell", "box", "ls"], 125, "shell takes one session and no command"),
    (["shell", "--cpus", "2", "box"], 125, "--cpus is for a new session"),
    (["shell", ""], 125, "the session's name is empty"),
    (["ps"], 2, "ps wants one session"),
    (["ps", "a", "b"], 2, "ps wants one session"),
    (["kill", "box"], 2, "kill wants a session and the number of a command"),
    (["kill", "box", "ls"], 2, "ls is no number of a command"),
    (["kill", "-s", "NONE", "box", "1"], 2, "there is no signal NONE"),
    (["run"], 125, "the command is empty"),
    (["run", "--nonsense", "ls"], 125, "there is no option --nonsense"),
    (["run", "--cpus", "0", "ls"], 125, "--cpus 0 is no whole number"),
    (["exec", "box", b"\xff\xfe"], 125, "argument 2 is not UTF-8"),
    (["create", "-n", b"\xff"], 2, "argument 2 is not UTF-8"),
]


@pytest.fixture(scope="module")
def capsem():
    # A home that cannot be made: nobody gets as far as a service.
    return cli.Cli("/sys/nonexistent")


@pytest.mark.parametrize("words,code,cause", CASES, ids=[repr(words) for words, _, _ in CASES])
def test_a_complaint_names_the_word_and_the_way_out(capsem, words, code, cause):
    got, said, remedy = capsem.error(*words)
    assert cause in said
    assert remedy
    assert got == code


@pytest.mark.parametrize("words", [["info", "--json"], ["info", "--nonsense", "--json"], ["create", "--json", "--cpus", "0"]])
def test_for_scripts_a_complaint_is_json(capsem, words):
    done = capsem.run(*words)
    error = json.loads(done.stderr)["error"]
    assert error["code"] == "InvalidArgument"
    assert error["cause"] and error["remedy"]
    assert done.stdout == b""


@pytest.mark.parametrize("words,code", [(["list"], 8), (["status"], 8), (["create"], 8), (["run", "ls"], 125),
                                        (["exec", "box", "ls"], 125)])
def test_a_home_that_cannot_be_written_is_named_with_the_way_out(capsem, words, code):
    got, cause, remedy = capsem.error(*words)
    assert "/sys/nonexistent" in cause
    assert "CAPSEM_HOME" in remedy
    assert got == code


def test_without_any_home_the_variable_to_set_is_named(capsem):
    done = capsem.run("list", env={"HOME": "", "CAPSEM_HOME": ""})
    assert done.returncode == 4
    assert b"neither CAPSEM_HOME nor HOME is set" in done.stderr


def test_a_home_with_too_long_a_path_is_refused(capsem):
    done = capsem.run("list", env={"CAPSEM_HOME": "/tmp/" + "x" * 80})
    assert done.returncode == 2
    assert b"too long" in done.stderr
