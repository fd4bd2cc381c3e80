"""For scripts: whatever happens, one JSON document on stdout, or one on stderr."""
import json

import pytest

from support.fixtures import box, capsem  # noqa: F401 (fixtures)

pytestmark = pytest.mark.cli


def document(stream):
    """The only JSON document of a stream."""
    return json.loads(stream)


ENDS = [
    ((), ["sh", "-c", "echo out; echo err >&2"], {"exit_code": 0, "stdout": "out\n", "stderr": "err\n"}),
    ((), ["sh", "-c", "exit 42"], {"exit_code": 42, "stdout": "", "timed_out": False}),
    ((), ["sh", "-c", "kill -9 $$"], {"exit_code": 137, "signal": 9}),
    ((), ["/etc/passwd", "x"], {"exit_code": 126}),
    ((), ["/no/such/program", "x"], {"exit_code": 127}),
    (("--timeout", "0.2"), ["sleep", "60"], {"exit_code": 124, "timed_out": True}),
    ((), ["printf", "a\\377b"], {"exit_code": 0, "stdout": "a\ufffdb"}),
]


@pytest.mark.parametrize("options, command, expected", ENDS, ids=[" ".join(command) for _, command, _ in ENDS])
def test_a_command_is_one_document_however_it_ends(capsem, box, options, command, expected):  # noqa: F811
    done = capsem.run("exec", "--json", *options, box, "--", *command)
    told = document(done.out)
    assert done.err == ""
    assert done.code == told["exit_code"]
    assert {key: told[key] for key in expected} == expected
    assert bool(told["error"]) == (told["exit_code"] in (126, 127))
    assert told["session"] == box


def test_a_command_in_a_machine_of_its_own_is_one_document_too(capsem):  # noqa: F811
    done = capsem.run("run", "--json", "--", "/no/such/program", "x")
    assert (done.code, document(done.out)["exit_code"], done.err) == (127, 127, "")


def test_more_output_than_one_document_takes_is_an_error_with_the_way_out(capsem, box):  # noqa: F811
    done = capsem.run("exec", "--json", box, "--", "head", "-c", "11000000", "/dev/zero")
    error = document(done.err)["error"]
    assert (done.code, done.out, error["code"]) == (125, b"", "ResourceExhausted")
    assert "--json" in error["remedy"]


def test_what_is_ours_is_one_document_on_stderr(capsem):  # noqa: F811
    done = capsem.run("exec", "--json", "nobody", "--", "true")
    assert (done.code, done.out, document(done.err)["error"]["code"]) == (125, b"", "NotFound")


@pytest.mark.parametrize("verb", ["start", "stop", "restart", "delete"])
def test_several_errors_are_one_document(capsem, verb):  # noqa: F811
    done = capsem.run(verb, "--json", "nobody", "../x", "noone")
    told = document(done.err)
    assert document(done.out) == []
    assert [error["session"] for error in told["errors"]] == ["nobody", "../x", "noone"]
    assert [error["code"] for error in told["errors"]] == ["NotFound", "InvalidArgument", "NotFound"]
    assert all(error["cause"] and error["remedy"] for error in told["errors"])
    first = dict(told["errors"][0])
    del first["session"]
    assert told["error"] == first
    assert done.code == 3


@pytest.mark.parametrize("words", [["--json", "nosuch"], ["nosuch", "--json"], ["--json", "image"], ["image", "--json"],
                                   ["--json", "image", "nosuch"], ["--json"], ["--json", "info"], ["--json", "--nonsense"]])
def test_a_line_that_cannot_be_understood_is_one_document(capsem, words):  # noqa: F811
    done = capsem.run(*words)
    error = document(done.err)["error"]
    assert (done.code, done.out, error["code"]) == (2, b"", "InvalidArgument")
    assert error["cause"] and error["remedy"]
    assert "--json" not in error["cause"]


def test_json_may_stand_before_the_verb(capsem, box):  # noqa: F811
    assert document(capsem.ok("--json", "info", box).out)["id"] == box
    assert document(capsem.ok("--json", "exec", box, "echo", "--json").out)["stdout"] == "--json\n"


def test_the_end_of_the_service_is_one_document(home):
    assert home.cli.json("stop", "--all") == []
    assert home.cli.json("service", "stop") == {"stopped": False}
    home.cli.text("status")
    assert home.cli.json("service", "stop") == {"stopped": True}
