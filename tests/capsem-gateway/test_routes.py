"""What is answered: sessions as JSON, commands on a real machine."""
import base64
import os

import pytest
from support import gateway
from support.eventually import eventually

pytestmark = pytest.mark.gateway


def run(http, session, **body):
    answer = http.ask("POST", f"/exec/{session}", body=body)
    assert answer.status == 200, answer
    return answer.json


@pytest.mark.smoke
def test_exec_at_once_after_create(capsem, http):
    session = capsem.create()
    done = run(http, session, command="echo out; echo err >&2; exit 3")
    assert (done["exit_code"], done["stdout"], done["stderr"]) == (3, "out\n", "err\n")
    assert (done["session"], done["signal"], done["timed_out"], done["error"]) == (session, 0, False, "")
    capsem.ok("delete", session)


def test_list_and_info_are_the_protos_as_json(capsem, http, box):
    [found] = [session for session in http.ask("GET", "/list").json["sessions"] if session["id"] == box]
    info = http.ask("GET", f"/info/{box}").json
    assert info["id"] == box
    assert info["state"] in ("SESSION_STATE_CREATING", "SESSION_STATE_RUNNING")  # nobody has waited for its guest
    assert info["cpus"] == capsem.info(box)["cpus"]
    assert info["name"] == ""  # every field is present
    assert set(info) == set(found)


@pytest.mark.parametrize("path,status", [("/info/nobody", 404), ("/info/..%2f", 400), ("/info/a.b", 400), ("/info/", 400),
                                         ("/info/" + 65 * "a", 400), ("/info/a%20b", 400), ("/nothing", 404)])
def test_what_is_not_there_is_said_with_a_remedy(http, path, status):
    answer = http.ask("GET", path)
    assert answer.status == status
    assert answer.json["error"]


def test_a_method_that_is_not_meant_names_the_one_that_is(http):
    answer = http.ask("DELETE", "/list")
    assert (answer.status, answer.headers["Allow"]) == (405, "GET")
    assert http.ask("POST", "/exec/x", body="{}", Content_Type="text/plain").status == 415


def test_exec_on_nobody_and_with_a_wrong_body(http, box):
    assert http.ask("POST", "/exec/nobody", body={"command": "true"}).status == 404
    for body in ("", "{", "[]", "{}", '{"command": 1}', '{"command": "a", "argv": ["b"]}', '{"command": "a", "x": 1}'):
        answer = http.ask("POST", f"/exec/{box}", body=body, Content_Type="application/json")
        assert answer.status == 400, (body, answer)
        assert answer.json["error"]


def test_argv_env_cwd_and_bytes(http, box):
    done = run(http, box, argv=["sh", "-c", 'printf "%s %s" "$KEY" "$PWD"; printf "\\377" >&2'], env={"KEY": "v"}, cwd="/tmp")
    assert (done["stdout"], done["stderr"]) == ("v /tmp", "\ufffd")
    done = run(http, box, command="printf '\\377\\000'", encoding="base64")
    assert base64.b64decode(done["stdout"]) == b"\xff\0"


def test_every_field_of_a_command_can_be_said(http, box):
    done = run(http, box, argv=["sh", "-c", "id -u; tty; echo $TERM; stty size"], uid=1234, timeoutMs=60000, cwd="/tmp",
               env=[{"key": "K", "value": "v"}], pty={"term": "vt100", "size": {"rows": 7, "cols": 77}},
               when_full="WHEN_FULL_DROP")
    assert done["stdout"] == "1234\r\n/dev/pts/0\r\nvt100\r\n7 77\r\n"


def test_stdin_is_read_to_its_end(http, box):
    text = "häm\n" * 150_000  # more than one message holds
    assert run(http, box, command="cat", stdin=text)["stdout"] == text
    done = run(http, box, command="cat", stdin=base64.b64encode(b"\xff\0").decode(), encoding="base64")
    assert base64.b64decode(done["stdout"]) == b"\xff\0"
    assert run(http, box, command="wc -c", stdin="")["stdout"] == "0\n"
    assert run(http, box, command="true", stdin=text)["exit_code"] == 0  # which reads none of it


@pytest.mark.parametrize("more,cause,remedy", [
    ({"colour": 1}, '"colour" is unknown', "there are command, timeout_secs, stdin, encoding, session, argv, shell"),
    ({"pty": {"width": 1}}, '"width" is unknown', "size, term"),
    ({"timeoutMs": 1, "timeout_ms": 2}, "comes twice", "timeoutMs"),
    ({"detach": True}, "detach", "capsem exec -d"),
    ({"on_disconnect": "ON_DISCONNECT_KEEP"}, "on_disconnect", "capsem exec -d"),
    ({"stdinOpen": True}, "stdin_open", '"stdin"'),
    ({"session": "other"}, "session", "the path"),
    ({"uid": "root"}, "uid", "docs/http.md"),
    ({"uid": 4294967295}, "no user", "4294967294"),  # what can be said, and the service refuses
    ({"cwd": "relative"}, "relative", "/"),
])
def test_what_http_does_not_take_is_named_with_what_helps(http, more, cause, remedy, box):
    answer = http.ask("POST", f"/exec/{box}", body={"command": "true", **more})
    assert answer.status == 400, answer
    assert cause in answer.json["error"] and remedy in answer.json["remedy"], answer


def test_a_timeout_ends_the_command_and_keeps_what_it_said(http, box):
    run(http, box, command="echo up")  # its shell has been read from the disk
    done = run(http, box, command="echo up; sleep 1000", timeout_secs=2)
    assert (done["exit_code"], done["timed_out"], done["stdout"]) == (124, True, "up\n")


def test_output_beyond_the_limit_is_an_error_and_ends_the_command(http, box):
    done = run(http, box, command=f"head -c {10 * 1024 * 1024} /dev/zero | tr '\\0' x")
    assert len(done["stdout"]) == 10 * 1024 * 1024
    answer = http.ask("POST", f"/exec/{box}", body={"command": "yes"})
    assert answer.status == 507
    assert "10485760" in answer.json["error"]
    eventually("the command has ended", 10, lambda: run(http, box, command="pgrep -x yes || true")["stdout"] == "")


def test_a_client_that_leaves_ends_its_command(http, box):
    body = b'{"command": "exec sleep 4242"}'
    client = http.connect()
    client.sendall((f"POST /exec/{box} HTTP/1.1\r\nHost: 127.0.0.1:{http.port}\r\nAuthorization: Bearer {http.token}\r\n"
                    f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n").encode() + body)

    def sleeps():
        return run(http, box, command="pgrep -f 'sleep 424[2]' || true")["stdout"]

    eventually("the command runs", 30, sleeps)
    client.close()
    eventually("the command has ended", 10, lambda: not sleeps())


def test_status_tells_where_it_listens(capsem, http):
    assert capsem.ok("status", "--json").json["gateway"] == f"http://127.0.0.1:{http.port}"
    assert f"http://127.0.0.1:{http.port}" in capsem.ok("status").text


def test_a_service_that_is_stopped_takes_the_address_along(fresh_capsem):
    http = gateway.of(fresh_capsem)
    fresh_capsem.ok("service", "stop")
    with pytest.raises(OSError):
        http.ask("GET", "/health")
    assert not os.path.exists(f"{fresh_capsem.home}/run/gateway.port")
    assert not os.path.exists(f"{fresh_capsem.home}/run/gateway.token")
