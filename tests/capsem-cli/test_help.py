"""Every verb explains itself, without a service."""
import subprocess

import pytest
from support import cli

pytestmark = pytest.mark.cli

VERBS = ["run", "create", "exec", "list", "ls", "info", "logs", "stop", "start", "restart",
         "persist", "rename", "delete", "rm", "purge", "image build", "image list",
         "image inspect", "status", "version", "service run", "service stop"]


@pytest.fixture(scope="module")
def capsem():
    return cli.Cli("/nonexistent")


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_of_a_verb_has_usage_an_example_and_its_failures(capsem, verb, flag):
    text = capsem.text(*verb.split(), flag)
    assert text.startswith("usage: capsem ")
    assert "\nexample:\n  capsem " in text
    assert "\nwhen it fails:\n" in text
    assert max(len(line) for line in text.splitlines()) <= 100


@pytest.mark.smoke
def test_help_lists_every_verb(capsem):
    text = capsem.text("--help")
    for verb in VERBS:
        assert verb in text, verb


def test_without_a_verb_help_is_an_error(capsem):
    done = capsem.run()
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.startswith(b"usage: capsem ")


@pytest.mark.parametrize("group", ["image", "service"])
def test_a_group_without_a_verb_lists_its_verbs(capsem, group):
    code, _, _ = 2, None, None
    done = capsem.run(group)
    assert done.returncode == code
    assert f"capsem: {group} wants a verb".encode() in done.stderr
    assert f"  {group} ".encode() in done.stderr


def test_help_of_an_exec_is_ours_and_of_its_command_is_not(capsem):
    assert capsem.text("exec", "--help", "box", "ls").startswith("usage: capsem exec")
    done = capsem.run("exec", "box", "ls", "--help", "--nonsense")
    assert b"usage" not in done.stdout


def test_a_full_stdout_is_an_error(capsem):
    with open("/dev/full", "wb") as full:
        done = subprocess.run(capsem.command("--help"), stdout=full, stderr=subprocess.PIPE,
                              env=capsem.environment)
    assert done.returncode != 0


def test_a_closed_stdout_is_an_error(capsem):
    done = subprocess.run(["sh", "-c", 'exec "$@" >&-', "sh", *capsem.command("--help")], stderr=subprocess.PIPE,
                          env=capsem.environment)
    assert done.returncode != 0
    assert b"stdout" in done.stderr


@pytest.mark.parametrize("verb", ["list", "version", "image list", "service run", "service stop"])
def test_a_word_that_a_verb_does_not_take_is_refused(capsem, verb):
    code, cause, remedy = capsem.error(*verb.split(), "extra")
    assert code == 2
    assert cause == f"{verb} takes no extra"
    assert f"capsem {verb} --help" in remedy
