"""Variables that steer shells or the loader, and keys that are none: refused at every door, and nothing is made."""
import grpc
import pytest
from support import gateway, rpc

pytestmark = pytest.mark.integration

STEERING = ["LD_PRELOAD", "LD_LIBRARY_PATH", "LD_AUDIT", "LD_", "BASH_ENV", "ENV", "IFS", "BASH_FUNC_ls%%", "CDPATH", "PS4",
            "GLOBIGNORE", "SHELLOPTS", "BASHOPTS", "PROMPT_COMMAND"]
NO_KEYS = ["", "A=B", "=", "A\0B", "\0", "LD_PRELOAD=x", "k" * 257]
# Nearly one of them; these are anybody's.
HARMLESS = ["LD", "OLD_PATH", "ENVIRONMENT", "MYIFS", "ld_preload"]


def exec_with(client, box, env):
    return client.execs.Exec(iter([rpc.argv_input(box, "true", env=env)]))


def run_with(client, box, env):
    return client.execs.Run(iter([rpc.execs_pb2.ExecInput(run=rpc.execs_pb2.RunStart(
        exec=rpc.execs_pb2.ExecStart(argv=["true"], env=env)))]))


def run_in_a_session_with(client, box, env):
    return client.execs.Run(iter([rpc.execs_pb2.ExecInput(run=rpc.execs_pb2.RunStart(
        session=rpc.sessions_pb2.CreateSessionRequest(env=env), exec=rpc.execs_pb2.ExecStart(argv=["true"])))]))


def create_with(client, box, env):
    return client.sessions.Create(rpc.sessions_pb2.CreateSessionRequest(env=env))


@pytest.fixture
def nothing_is_made(capsem):
    before = [session["id"] for session in capsem.ok("list", "--json").json]
    yield
    assert [session["id"] for session in capsem.ok("list", "--json").json] == before


@pytest.mark.parametrize("call", [create_with, exec_with, run_with, run_in_a_session_with])
def test_the_api_refuses_it(client, box, nothing_is_made, call):
    for key, value in [(key, "x") for key in STEERING + NO_KEYS] + [("A", "x\0y")]:
        # Behind one that is fine: all are looked at.
        env = rpc.environment({"FINE": "1", key: value})
        with pytest.raises(grpc.RpcError) as failed:
            result = call(client, box, env)
            if hasattr(result, "__next__"):
                list(result)
        error = rpc.error_of(failed.value)
        assert failed.value.code() == grpc.StatusCode.INVALID_ARGUMENT, (key, error)
        assert "environment variable" in error.cause and error.remedy, (key, error)


@pytest.mark.parametrize("verb", ["create", "exec", "run"])
def test_the_cli_refuses_it(capsem, box, nothing_is_made, verb):
    rest = {"create": [], "exec": [box, "--", "true"], "run": ["--", "true"]}[verb]
    for key in STEERING:
        code, cause, remedy = capsem.cli.error(verb, "-e", "FINE=1", "-e", f"{key}=x", *rest)
        assert code == (2 if verb == "create" else 125), (key, cause)
        assert "variable" in cause and key in cause and remedy, (key, cause, remedy)
    _, cause, remedy = capsem.cli.error(verb, "-e", "=x", *rest)
    assert "K=V" in cause and remedy


@pytest.mark.parametrize("shape", ["object", "list"])
def test_http_refuses_it(capsem, box, shape):
    http = gateway.of(capsem)
    for key, value in [(key, "x") for key in STEERING + NO_KEYS] + [("A", "x\0y")]:
        env = {"FINE": "1", key: value}
        if shape == "list":
            env = [{"key": name, "value": text} for name, text in env.items()]
        answer = http.ask("POST", f"/exec/{box}", body={"command": "true", "env": env})
        assert answer.status == 400, (key, answer)
        assert "environment variable" in answer.json["error"] and answer.json["remedy"], (key, answer)


def test_what_is_nearly_one_of_them_arrives(client, box):
    done = rpc.collect(exec_with_env(client, box))
    assert done.stdout == b" ".join(b"x" for _ in HARMLESS) + b"\n"


def exec_with_env(client, box):
    words = " ".join(f"${{{key}}}" for key in HARMLESS)
    return client.execs.Exec(iter([rpc.argv_input(box, "sh", "-c", f"echo {words}",
                                                  env=rpc.environment({key: "x" for key in HARMLESS}))]))
