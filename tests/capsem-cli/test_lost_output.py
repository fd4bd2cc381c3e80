"""What becomes of a command whose stdout takes nothing more."""
import os
import signal
import subprocess

import pytest

from support.eventually import eventually
from support.fixtures import box, capsem  # noqa: F401 (fixtures)

pytestmark = pytest.mark.cli

VERBS = [["--help"], ["help"], ["version"], ["list"], ["list", "--json"], ["status"], ["info", "{box}"], ["logs"],
         ["exec", "{box}", "echo hi"], ["exec", "--json", "{box}", "echo hi"], ["exec", "-d", "{box}", "true"],
         ["image", "list"]]


def words_of(verb, box):  # noqa: F811
    return [word.format(box=box) for word in verb]


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
@pytest.mark.parametrize("shell", ['exec "$@" > /dev/full', 'exec "$@" >&-', 'trap "" PIPE; exec "$@" >&9'],
                         ids=["full", "closed", "broken and ignored"])
def test_it_is_125_for_every_verb(capsem, box, verb, shell):  # noqa: F811
    read_end, write_end = os.pipe()
    os.close(read_end)
    command = ["bash", "-c", f'{shell.replace(">&9", f">&{write_end}")}', "bash", *capsem.cli.command(*words_of(verb, box))]
    done = subprocess.run(command, capture_output=True, pass_fds=[write_end], stdin=subprocess.DEVNULL,
                          env=capsem.cli.environment)
    os.close(write_end)
    assert done.returncode == 125, done.stderr
    assert b"stdout cannot be written: " in done.stderr


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_a_reader_that_has_left_ends_it_quietly_by_sigpipe(capsem, box, verb):  # noqa: F811
    read_end, write_end = os.pipe()
    os.close(read_end)
    done = subprocess.run(capsem.cli.command(*words_of(verb, box)), stdout=write_end, stderr=subprocess.PIPE,
                          stdin=subprocess.DEVNULL, env=capsem.cli.environment)
    os.close(write_end)
    assert (done.returncode, done.stderr) == (-signal.SIGPIPE, b"")


def test_in_a_shell_it_is_141_and_the_command_is_ended(capsem, box):  # noqa: F811
    line = f'{capsem.cli.program} exec {box} -- yes in-a-pipe | head -1; echo "${{PIPESTATUS[0]}}"'
    done = subprocess.run(["bash", "-c", line], capture_output=True, stdin=subprocess.DEVNULL, env=capsem.cli.environment)
    assert (done.stdout, done.stderr) == (b"in-a-pipe\n141\n", b"")
    left = ["sh", "-c", "grep -lz in-a-[p]ipe /proc/[0-9]*/cmdline | wc -l"]  # not grep itself
    eventually("the command has ended in the guest", 10, lambda: capsem.exec(box, *left).text == "0\n")
