"""A state folder that is mounted read-only: every verb that needs it says so and what helps."""
import os
import tempfile

import pytest

from support import cli, mounts

pytestmark = pytest.mark.cli

VERBS = [["list"], ["ls"], ["status"], ["create"], ["info", "box"], ["stop", "box"], ["delete", "box"], ["rm", "box"],
         ["start", "box"], ["restart", "box"], ["persist", "box"], ["rename", "box", "crate"], ["purge", "-y"],
         ["logs", "box"], ["logs"], ["image", "build"], ["image", "list"], ["image", "inspect"],
         ["run", "true"], ["exec", "box", "true"]]


@pytest.fixture(scope="module")
def capsem():
    with tempfile.TemporaryDirectory(prefix="cs", dir="/tmp") as home:
        program = cli.Cli(home)
        program.prefix = mounts.privately(mounts.read_only(home))
        yield program
        assert os.listdir(home) == []


@pytest.mark.parametrize("words", VERBS, ids=" ".join)
def test_it_is_said_with_the_way_out(capsem, words):
    code, cause, remedy = capsem.error(*words)
    assert code == (125 if words[0] in ("run", "exec") else 8)
    assert capsem.environment["CAPSEM_HOME"] in cause
    assert "read-only" in cause.lower()
    assert "CAPSEM_HOME" in remedy


def test_a_service_in_the_foreground_says_it_too(capsem):
    done = capsem.run("service", "run")
    said = done.stderr.decode()
    assert done.returncode == 8
    assert capsem.environment["CAPSEM_HOME"] in said and "read-only" in said.lower()
    assert "set CAPSEM_HOME" in said


@pytest.mark.parametrize("words", [["stop", "--all"], ["service", "stop"], ["version"], ["list", "--help"]], ids=" ".join)
def test_what_needs_no_state_works(capsem, words):
    done = capsem.run(*words)
    assert done.returncode == 0, done.stderr
