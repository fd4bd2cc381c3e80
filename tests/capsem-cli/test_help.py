"""Every verb explains itself, without a service."""
import pytest
from support import cli

pytestmark = pytest.mark.cli

VERBS = ["run", "create", "exec", "shell", "ps", "attach", "kill", "cp", "list", "ls", "info", "logs", "stop", "start", "restart",
         "persist", "rename", "delete", "rm", "purge", "image build", "image list",
         "image inspect", "status", "version", "config show", "config validate", "service run", "service stop", "help"]


@pytest.fixture(scope="module")
def capsem():
    # A home that cannot be made, not even by root: nothing here starts a service.
    return cli.Cli("/sys/nonexistent")


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


@pytest.mark.parametrize("verb", VERBS)
def test_help_is_a_verb_too(capsem, verb):
    assert capsem.text("help", *verb.split()) == capsem.text(*verb.split(), "--help")


def test_help_of_all_and_of_groups(capsem):
    assert capsem.text("help") == capsem.text("--help") == capsem.text("-h")
    for group in ("image", "service"):
        text = capsem.text(group, "--help")
        assert text.startswith(f"usage: capsem {group} VERB")
        assert text == capsem.text("help", group) == capsem.text(group, "-h")


@pytest.mark.parametrize("words", [["nosuch"], ["image", "nosuch"], ["list", "more"], ["image", "list", "more"]])
def test_help_for_what_is_no_verb_says_where_verbs_are(capsem, words):
    code, cause, remedy = capsem.error("help", *words)
    assert code == 2 and words[-1] in cause and "--help" in remedy


@pytest.mark.parametrize("verb", ["create", "persist", "rename"])
def test_help_says_what_a_name_may_be(capsem, verb):
    text = " ".join(capsem.text("help", verb).split())
    assert "1 to 64 letters, digits, - and _, the first" in text


def test_help_of_an_exec_is_ours_and_of_its_command_is_not(capsem):
    assert capsem.text("exec", "--help", "box", "ls").startswith("usage: capsem exec")
    done = capsem.run("exec", "box", "ls", "--help", "--nonsense")
    assert b"usage" not in done.stdout


@pytest.mark.parametrize("verb", ["list", "version", "image list", "service run", "service stop"])
def test_a_word_that_a_verb_does_not_take_is_refused(capsem, verb):
    code, cause, remedy = capsem.error(*verb.split(), "extra")
    assert code == 2
    assert cause == f"{verb} takes no extra"
    assert f"capsem {verb} --help" in remedy
