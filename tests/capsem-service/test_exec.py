"""Commands: exit codes, output, input, time limits, signals, what survives them."""
import hashlib
import subprocess
import threading

import pytest

from support import rpc

pytestmark = pytest.mark.integration

MIB = 1 << 20


@pytest.mark.parametrize("command, code", [
    (["true"], 0),
    (["false"], 1),
    (["sh", "-c", "exit 42"], 42),
    (["/etc/hostname"], 126),
    (["no-such-program"], 127),
    (["sh", "-c", "kill -9 $$"], 137),
])
def test_exit_codes(capsem, box, command, code):
    assert capsem.exec(box, *command).code == code


def test_why_a_program_was_not_started_is_said(capsem, box):
    assert "no-such-program" in capsem.exec(box, "no-such-program").err
    assert "/etc/hostname" in capsem.exec(box, "/etc/hostname").err


def test_stderr_is_apart(capsem, box):
    result = capsem.exec(box, "sh", "-c", "echo out; echo err >&2")
    assert (result.out, result.err.strip()) == (b"out\n", "err")


def test_order_is_kept(client, box):
    script = "i=0; while [ $i -lt 2000 ]; do echo $i; i=$((i+1)); done"
    outcome = rpc.exec_argv(client, box, "sh", "-c", script)
    assert outcome.stdout.split() == [b"%d" % number for number in range(2000)]


def test_64_mib_of_binary_output_is_byte_exact(client, box):
    script = "import sys,hashlib\nb=bytes(range(256))*4096\nfor i in range(64): sys.stdout.buffer.write(b[i:]+b[:i])\n"
    block = bytes(range(256)) * 4096
    wanted, told = hashlib.sha256(), hashlib.sha256()
    for shift in range(64):
        wanted.update(block[shift:] + block[:shift])
    length = 0
    for event in client.execs.Exec(iter([rpc.argv_input(box, "python3", "-c", script)])):
        told.update(event.stdout)
        length += len(event.stdout)
        assert event.stderr == b""
    assert length == 64 * MIB
    assert told.hexdigest() == wanted.hexdigest()


def test_stdin_goes_in_and_comes_out(capsem, box):
    sent = bytes(range(256)) * 4096
    assert capsem.run("exec", "-i", box, "--", "cat", stdin=sent).out == sent


def test_eight_execs_at_once_get_their_own_output(client, box):
    def one(number):
        script = f"for i in 1 2 3 4 5 6 7 8 9 10; do echo {number}; done; exit {number}"
        return rpc.exec_argv(client, box, "sh", "-c", script)

    outcomes = {}
    threads = [threading.Thread(target=lambda n=n: outcomes.__setitem__(n, one(n))) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number, outcome in outcomes.items():
        assert outcome.stdout == b"%d\n" % number * 10
        assert outcome.exit.code == number
    assert len(outcomes) == 8


def test_a_background_process_does_not_delay_the_exit_and_lives_on(capsem, box):
    result = capsem.exec(box, "sh", "-c", "sleep 987 & echo hi")
    assert (result.code, result.out) == (0, b"hi\n")
    assert capsem.exec(box, "pgrep", "-f", "sleep 987").code == 0


def test_timeout_ends_everything_the_command_started(capsem, box):
    result = capsem.run("exec", "--timeout", "1", box, "--", "sh", "-c", "setsid sleep 654 & setsid nohup sleep 653 & sleep 652")
    assert result.code == 124
    assert capsem.exec(box, "pgrep", "-f", "sleep 65").code == 1


def test_a_fork_bomb_at_a_timeout_is_gone(capsem):
    session = capsem.create()
    bomb = "bomb() { bomb | bomb & }; bomb; sleep 1000"
    assert capsem.run("exec", "--timeout", "2", session, "--", "sh", "-c", bomb).code == 124
    assert capsem.exec(session, "echo", "alive").out == b"alive\n"
    assert int(capsem.exec(session, "sh", "-c", "pgrep -x -c sh || :").text) == 1
    capsem.ok("delete", session)


def test_env_and_cwd_reach_the_command(capsem, client, box):
    result = capsem.run("exec", "-e", "COLOR=deep blue", box, "--", "sh", "-c", 'echo "$COLOR"; pwd')
    assert result.text.splitlines() == ["deep blue", "/workspace"]
    assert rpc.exec_argv(client, box, "pwd", cwd="/usr").stdout == b"/usr\n"
    missing = rpc.exec_argv(client, box, "pwd", cwd="/nowhere")
    assert missing.exit.code == 126
    assert "/nowhere" in missing.exit.error


def test_env_of_the_session_reaches_every_command(capsem):
    session = capsem.create("-e", "COLOR=green")
    assert capsem.exec(session, "printenv", "COLOR").out == b"green\n"
    assert capsem.run("exec", "-e", "COLOR=red", session, "--", "printenv", "COLOR").out == b"red\n"
    capsem.ok("delete", session)


def test_one_string_is_run_by_the_shell_several_are_an_argv(capsem, box):
    assert capsem.run("exec", box, "--", "echo a; echo b").out == b"a\nb\n"
    assert capsem.exec(box, "echo", "a; echo b").out == b"a; echo b\n"


def test_cli_killed_its_command_ends(capsem, box):
    cli = capsem.popen("exec", box, "--", "sh", "-c", "echo up; exec sleep 543")
    assert cli.stdout.readline() == b"up\n"
    watch = "pid=$(pgrep -f '^sleep 543'); echo $pid; while [ -e /proc/$pid ]; do sleep 0.05; done; echo gone"
    watcher = capsem.popen("exec", box, "--", "sh", "-c", watch)
    assert int(watcher.stdout.readline()) > 1
    cli.kill()
    cli.wait()
    said, _ = watcher.communicate(timeout=2)
    assert said == b"gone\n"


def test_a_closed_stdin_is_at_its_end(capsem, box):
    command = capsem.cli.command("exec", box, "--", "cat; echo end")
    done = subprocess.run(["sh", "-c", 'exec "$@" <&-', "sh", *command], env=capsem.cli.environment, capture_output=True, check=True)
    assert done.stdout == b"end\n"


def test_detached_command_lives_on_without_its_cli(capsem, box):
    assert capsem.run("exec", "-d", box, "--", "sleep", "432").code == 0
    assert capsem.exec(box, "pgrep", "-f", "sleep 432").code == 0


def test_ctrl_c_ends_the_command_in_the_guest(capsem, box):
    import signal
    script = "trap 'echo caught; exit 7' INT; echo up; while :; do sleep 0.1; done"
    cli = capsem.popen("exec", box, "--", "sh", "-c", script)
    assert cli.stdout.readline() == b"up\n"
    cli.send_signal(signal.SIGINT)
    assert cli.stdout.read() == b"caught\n"
    assert cli.wait() == 7


def test_a_slow_reader_stops_the_command_and_loses_nothing(client, box):
    script = "head -c 20000000 /dev/zero | tr '\\0' x"
    call = client.execs.Exec(iter([rpc.argv_input(box, "sh", "-c", script)]))
    first = next(call)
    assert first.started.exec
    other = rpc.exec_argv(client, box, "echo", "others go on")  # while the first stream is not read
    assert other.stdout == b"others go on\n"
    assert sum(len(event.stdout) for event in call) == 20000000
