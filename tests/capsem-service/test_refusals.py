"""Bad input: code, cause and remedy each, by the CLI and by the API; nothing is made."""
import grpc
import pytest

from support import rpc

pytestmark = pytest.mark.integration

BAD_NAMES = ["../x", "a" * 65, "with space", "ünïcode", "-dash", "a/b", ".", "a\nb"]


def refused(call, code):
    with pytest.raises(grpc.RpcError) as failed:
        result = call()
        if hasattr(result, "__next__"):
            list(result)
    error = rpc.error_of(failed.value)
    assert failed.value.code() == code, error
    assert error.cause and error.remedy, error
    return error


@pytest.mark.parametrize("name", BAD_NAMES)
def test_bad_names(client, name):
    refused(lambda: client.sessions.Create(rpc.sessions_pb2.CreateSessionRequest(name=name)),
            grpc.StatusCode.INVALID_ARGUMENT)


@pytest.mark.parametrize("fields, word", [
    ({"cpus": 99}, "8"), ({"memory_mib": 1}, "256"), ({"memory_mib": 10**9}, "16384"), ({"disk_gib": 1025}, "1024"),
])
def test_sizes_out_of_bounds_name_the_limit(client, fields, word):
    error = refused(lambda: client.sessions.Create(rpc.sessions_pb2.CreateSessionRequest(**fields)),
                    grpc.StatusCode.INVALID_ARGUMENT)
    assert word in error.cause + error.remedy


@pytest.mark.parametrize("args", [
    ["--cpus", "0"], ["--cpus", "99"], ["--memory", "0"], ["--memory", "1000000000"], ["--disk", "0"], ["--disk", "1025"], ["-n", ""], ["-n", "../x"],
    ["--cpus", "two"], ["--image", "nothing-of-that-name"],
])
def test_create_refuses_and_makes_nothing(capsem, args):
    before = capsem.ok("list", "--json").json
    result = capsem.run("create", *args)
    assert result.code in (2, 3), result
    assert len(result.err.strip().splitlines()) >= 2, "a cause and a remedy"
    assert capsem.ok("list", "--json").json == before


@pytest.mark.parametrize("session", ["aaaaaaaaaaaa", "no-such-box", "../x", "", "a" * 65])
def test_unknown_sessions(capsem, session):
    for verb in (["info", session], ["stop", session], ["delete", session], ["logs", session]):
        assert capsem.run(*verb).code in (2, 3)
    assert capsem.run("exec", session, "--", "true").code == 125


def test_commands_that_can_never_work(client, box):
    bad = grpc.StatusCode.INVALID_ARGUMENT
    for first in (rpc.argv_input(box),                                        # empty command
                  rpc.argv_input(box, ""),                                    # empty program
                  rpc.argv_input(box, "true", shell="true"),                  # both forms
                  rpc.argv_input(box, "echo", "x" * (1 << 20)),               # one argument of 1 MiB
                  rpc.argv_input(box, *["y"] * 5000),                         # too many
                  rpc.argv_input(box, "echo", "a\0b"),                        # NUL
                  rpc.argv_input(box, "pwd", cwd="relative"),
                  rpc.argv_input(box, "env", env=[rpc.common_pb2.EnvVar(key="", value="x")]),
                  rpc.argv_input(box, "env", env=[rpc.common_pb2.EnvVar(key="A=B", value="x")]),
                  rpc.argv_input(box, "env", env=[rpc.common_pb2.EnvVar(key="A", value="x\0y")]),
                  rpc.execs_pb2.ExecInput(stdin=b"no start yet")):
        refused(lambda first=first: client.execs.Exec(iter([first])), bad)


def test_invalid_utf8_is_refused_with_a_word(capsem, client, box):
    raw = client.channel.stream_stream("/capsem.v1.Execs/Exec", request_serializer=lambda data: data,
                                       response_deserializer=rpc.execs_pb2.ExecEvent.FromString)
    good = rpc.argv_input(box, "echo", "MARK").SerializeToString()
    refused(lambda: raw(iter([good.replace(b"MARK", b"\xff\xfe\xfd\xfc")])), grpc.StatusCode.INVALID_ARGUMENT)


def test_no_input_at_all_is_refused(client):
    refused(lambda: client.execs.Exec(iter([])), grpc.StatusCode.INVALID_ARGUMENT)


# Above the 4 MiB of the contract, below the 16 MiB from which on gRPC itself answers.
@pytest.mark.parametrize("size", [4 << 20, 15 << 20])
def test_a_message_that_is_too_large_is_refused_with_a_word(client, box, size):
    limit = grpc.StatusCode.RESOURCE_EXHAUSTED
    error = refused(lambda: client.execs.Exec(iter([rpc.argv_input(box, "echo", "x" * size)])), limit)
    assert "4194304" in error.cause
    start = rpc.argv_input(box, "cat", stdin_open=True)
    refused(lambda: client.execs.Exec(iter([start, rpc.execs_pb2.ExecInput(stdin=b"x" * size)])), limit)
    refused(lambda: client.sessions.Get(rpc.sessions_pb2.GetSessionRequest(session="x" * size)), limit)
    refused(lambda: client.system.Logs(rpc.system_pb2.LogsRequest(session="x" * size)), limit)


def test_the_cli_does_not_even_send_it(capsem, box):
    # A stack without a limit lets the kernel take 6 MiB of arguments.
    more = 'word=$(printf %0130000d 0); for i in {1..36}; do set -- "$@" "$word"; done'
    capsem.cli.prefix = ["bash", "-c", f'ulimit -s unlimited; {more}; exec "$@"', "bash"]
    try:
        code, cause, remedy = capsem.cli.error("exec", box, "--", "echo")
    finally:
        capsem.cli.prefix = []
    assert code == 125 and "the limit is 4194304 bytes" in cause and "stdin" in remedy


def test_a_name_that_is_taken(capsem, client):
    session = capsem.create("-n", "taken")
    error = refused(lambda: client.sessions.Create(rpc.sessions_pb2.CreateSessionRequest(name="taken")),
                    grpc.StatusCode.ALREADY_EXISTS)
    assert "taken" in error.cause
    capsem.ok("delete", "taken")
    assert capsem.run("info", session).code == 3


def test_signals(client, box):
    missing = rpc.execs_pb2.SignalRequest(session=box, exec=999999, signal=9)
    refused(lambda: client.execs.Signal(missing), grpc.StatusCode.NOT_FOUND)
    for number in (0, 65, 1000):
        bad = rpc.execs_pb2.SignalRequest(session=box, exec=1, signal=number)
        refused(lambda bad=bad: client.execs.Signal(bad), grpc.StatusCode.INVALID_ARGUMENT)
