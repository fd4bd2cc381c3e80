"""Who may come in: the token, its file, too many failures, Host and Origin."""
import os
import stat

import pytest
from support import gateway
from support.capsem_home import CapsemHome

pytestmark = pytest.mark.gateway


@pytest.mark.smoke
def test_health_needs_no_token_and_the_list_does(http):
    for path in ("/", "/health"):
        answer = http.ask("GET", path, token="")
        assert (answer.status, answer.json["ok"]) == (200, True), answer
    assert http.ask("GET", "/list", token="").status == 401
    assert http.ask("GET", "/list").json == {"sessions": []}


@pytest.mark.parametrize("method,path", [("POST", "/"), ("HEAD", "/health"), ("GET", "/info/x"), ("POST", "/exec/x"),
                                         ("GET", "/nothing"), ("GET", "/info/.."), ("DELETE", "/list")])
def test_everything_else_is_401_without_the_token(http, method, path):
    assert http.ask(method, path, token="").status == 401


def shapes(token):
    """What is nearly the header."""
    return [f"bearer {token}", f"Basic {token}", f"Bearer{token}", "Bearer", "Bearer ", token, f"Bearer\t{token}",
            f"Bearer  {token}", f"Bearer {token} ", f"Bearer {token[:-1]}", f"Bearer {token}0"]


def test_only_the_exact_header_is_taken(http):
    for shape in shapes(http.token):
        answer = http.say(f"GET /list HTTP/1.1\r\nHost: 127.0.0.1:{http.port}\r\nConnection: close\r\n"
                          f"Authorization: {shape}\r\n\r\n".encode())
        assert gateway.statuses(answer) in ([401], [429]), shape
    assert http.ask("GET", f"/list?token={http.token}", token="").status in (401, 429)


def test_the_token_and_the_port_are_the_owners_alone_and_new_each_time(capsem, http):
    for name in ("gateway.token", "gateway.port", "gateway.lock"):
        assert stat.S_IMODE(os.stat(f"{capsem.home}/run/{name}").st_mode) == 0o600
    assert stat.S_IMODE(os.stat(f"{capsem.home}/gateway.log").st_mode) == 0o600
    assert len(http.token) == 64 and http.token.isalnum()
    with CapsemHome() as other:
        assert gateway.of(other).token != http.token


def test_after_too_many_failures_only_the_token_still_passes():
    with CapsemHome() as home:
        http = gateway.of(home)
        assert [http.ask("GET", "/list", token="wrong").status for _ in range(20)] == [401] * 20
        answer = http.ask("GET", "/list", token="wrong")
        assert (answer.status, answer.headers["Retry-After"]) == (429, "60")
        assert "error" in answer.json
        assert http.ask("GET", "/list", token="").status == 429
        assert http.ask("GET", "/list").status == 200
        assert http.ask("GET", "/health", token="").status == 200


@pytest.mark.parametrize("host,status", [("localhost:{port}", 200), ("127.0.0.1:{port}", 200), ("localhost", 421),
                                         ("evil.example:{port}", 421), ("127.0.0.1.evil.example:{port}", 421),
                                         ("localhost:1", 421)])
def test_host_is_one_of_our_names(http, host, status):
    assert http.ask("GET", "/list", Host=host.format(port=http.port)).status == status


@pytest.mark.parametrize("origin,status", [("http://localhost:3000", 200), ("https://127.0.0.1", 200),
                                           ("tauri://localhost", 200), ("http://localhost.evil.com", 403),
                                           ("http://localhost:80.evil.com", 403), ("https://evil.com", 403),
                                           ("null", 403)])
def test_pages_of_this_machine_may_ask_and_look_alikes_may_not(http, origin, status):
    answer = http.ask("GET", "/list", Origin=origin)
    assert answer.status == status
    assert answer.headers.get("Access-Control-Allow-Origin") == (origin if status == 200 else None)
    preflight = http.ask("OPTIONS", "/exec/box", token="", Origin=origin, Access_Control_Request_Method="POST")
    assert preflight.status == (204 if status == 200 else 403)
