"""Commands at a terminal: shells, sizes, keys; and the caller's own terminal, which is always given back."""
import signal

import pytest

from support.eventually import eventually
from support.terminal import Terminal

pytestmark = pytest.mark.integration


def at_terminal(capsem, *args, **size):
    return Terminal(capsem.cli.command(*args), {**capsem.cli.environment, "TERM": "xterm-256color"}, **size)


def test_a_shell_in_a_session(capsem, box):
    with at_terminal(capsem, "shell", box, rows=33, cols=111) as shell:
        shell.type("echo a$((6*7))b; stty size; echo $TERM; pwd\n")
        shown = shell.until("/workspace\r\n")
        assert "a42b\r\n33 111\r\nxterm-256color\r\n" in shown
        assert shell.is_raw()
        shell.type("exit 3\n")
        assert shell.wait() == 3
        assert shell.is_restored()


def test_a_terminal_that_changes_its_size_changes_the_command_s(capsem, box):
    script = "trap 'stty size; exit 7' WINCH; echo up; while :; do sleep 0.1; done"
    with at_terminal(capsem, "exec", "-it", box, "--", "sh", "-c", script) as command:
        command.until("up\r\n")
        command.resize(50, 132)
        command.until("50 132\r\n")
        assert command.wait() == 7


def test_ctrl_c_is_a_key_that_the_guest_hears(capsem, box):
    with at_terminal(capsem, "shell", box) as shell:
        shell.type("sh -c 'echo u''p; exec sleep 1000'\n")
        shell.until("up\r\n")
        shell.type("\x03")
        shell.type("echo code=$?\n")
        shell.until("code=130")
        shell.type("exit\n")
        assert shell.wait() == 0


def test_a_shell_without_a_session_has_one_for_itself(capsem):
    before = {session.id for session in capsem.api.list()}
    with at_terminal(capsem, "shell", "-q") as shell:
        shell.type("hostname; echo re''ady\n")
        shown = shell.until("ready\r\n")
        [own] = {session.id for session in capsem.api.list()} - before
        assert own in shown
        shell.type("exit\n")
        assert shell.wait() == 0
        assert {session.id for session in capsem.api.list()} == before


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_that_ends_capsem_gives_the_terminal_back_and_ends_the_command(capsem, box, number):
    with at_terminal(capsem, "exec", "-it", box, "--", "sh", "-c", "echo up; exec sleep 97531") as command:
        command.until("up\r\n")
        assert command.is_raw()
        command.process.send_signal(number)
        assert command.wait() == -number
        assert command.is_restored()
    eventually("the command has ended", 10, lambda: capsem.exec(box, "pgrep", "-f", "^sleep 97531").code == 1)


def test_a_terminal_without_one_here(capsem, box):
    result = capsem.run("exec", "-t", box, "--", "sh", "-c", "test -t 0 && test -t 1 && stty size; echo err >&2")
    assert result.out == b"24 80\r\nerr\r\n"
    assert capsem.run("exec", "-t", "-i", box, "--", "cat", stdin=b"hi\n").out == b"hi\r\nhi\r\n"


def test_a_shell_that_reads_from_a_pipe_has_no_terminal(capsem, box):
    result = capsem.run("shell", box, stdin=b"test -t 0 || echo none\nexit 4\n")
    assert (result.code, result.out) == (4, b"none\n")


def test_a_command_right_after_create_has_a_terminal(capsem):
    session = capsem.create()
    assert capsem.run("exec", "-t", session, "--", "tty").text.startswith("/dev/pts/")
    capsem.ok("delete", session)


def test_all_that_a_terminal_s_command_prints_comes(capsem, box):
    lines = capsem.run("exec", "-t", box, "--", "seq 1 30000").out.split(b"\r\n")
    assert lines == [b"%d" % number for number in range(1, 30001)] + [b""]


@pytest.mark.parametrize("terminal", [[], ["-t"]])
def test_a_command_of_another_user(capsem, box, terminal):
    result = capsem.run("exec", *terminal, "-u", "65534", "-w", "/tmp", box, "--", "id -u; id -G; pwd; cat /etc/shadow; exit 0")
    assert result.text.split()[:3] == ["65534", "65534", "/tmp"]
    assert "Permission denied" in result.text + result.err


def test_what_a_shell_does_not_take(capsem, box):
    assert "one session and no command" in capsem.run("shell", box, "ls").err
    assert "--image is for a new session" in capsem.run("shell", "--image", "base", box).err
    assert "-u x is no whole number" in capsem.run("exec", "-u", "x", box, "--", "id").err.replace("--user", "-u")
