"""What is understood: one request is never two, and nothing is larger than it may be."""
import pytest
from support import gateway

pytestmark = pytest.mark.gateway

LIMIT = 10 * 1024 * 1024
CHUNKED = "Transfer-Encoding: chunked\r\n"
HIDDEN = "GET /health HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n"
GET = "GET /list HTTP/1.1\r\n{host}{auth}"
# Of somebody with the token, with a body that is wanted: were it understood, the route would answer, and HIDDEN
# after it. Nothing but the parser is left to refuse it.
POST = "POST /exec/nobody HTTP/1.1\r\n{host}{auth}Content-Type: application/json\r\n"

# Each tries to make the gateway see HIDDEN as a second request, or to be read in two ways: its bytes, the status, and a
# part of the cause.
SMUGGLED = {
    "CL and TE": (POST + "Content-Length: 4\r\n" + CHUNKED + "\r\n0\r\n\r\n", 400, "CONTENT_LENGTH"),
    "TE and CL": (POST + CHUNKED + "Content-Length: 4\r\n\r\n0\r\n\r\n", 400, "CONTENT_LENGTH"),
    "two CLs": (POST + "Content-Length: 0\r\nContent-Length: 9\r\n\r\n", 400, "not well-formed"),
    "TE xchunked": (POST + "Transfer-Encoding: xchunked\r\n\r\n", 400, "not well-formed"),
    "TE chunked, identity": (POST + "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", 400, "TRANSFER_ENCODING"),
    "CL -1": (POST + "Content-Length: -1\r\n\r\n", 400, "not well-formed"),
    "CL +4": (POST + "Content-Length: +4\r\n\r\nnull", 400, "not well-formed"),
    "CL 4x": (POST + "Content-Length: 4x\r\n\r\nnull", 400, "not well-formed"),
    "a space before the colon": (POST + "Content-Length : 4\r\n\r\nnull", 400, "not well-formed"),
    "chunk size 0x5": (POST + CHUNKED + "\r\n0x5\r\nfalse\r\n0\r\n\r\n", 400, "not well-formed"),
    "chunk with bare LF": (POST + CHUNKED + "\r\n5\nfalse\r\n0\r\n\r\n", 400, "not well-formed"),
    "a chunk's extension": (POST + CHUNKED + "\r\n5;a=b\r\nfalse\r\n0\r\n\r\n", 400, "chunk extensions"),
    "trailers": (POST + CHUNKED + "\r\n5\r\nfalse\r\n0\r\nX: y\r\n\r\n", 400, "no trailers"),
    "bare LF": ("GET /list HTTP/1.1\nHost: 127.0.0.1:{port}\n\n", 400, "line feed"),
    "bare CR (CVE-2023-30589)": (GET + "Dummy:\rContent-Length: 5\r\n\r\n", 400, "carriage return"),
    "CR only": ("GET /list HTTP/1.1\rHost: 127.0.0.1:{port}\r\r", 400, "carriage return"),
    "obs-fold": (GET + "X: a\r\n Content-Length: 5\r\n\r\n", 400, "begins with a space"),
    "NUL": (GET + "X: a\0b\r\n\r\n", 400, "control character"),
    "two Hosts": (GET + "Host: evil\r\n\r\n", 400, "host comes twice"),
    "no Host": ("GET /list HTTP/1.1\r\n{auth}\r\n", 400, "no Host"),
    "absolute form": ("GET http://evil/list HTTP/1.1\r\n{host}{auth}\r\n", 400, "begin with /"),
    "CONNECT": ("CONNECT evil:443 HTTP/1.1\r\n{host}{auth}\r\n", 400, "begin with /"),
    "HTTP/0.9": ("GET /list\r\n\r\n", 400, "METHOD TARGET VERSION"),
    "HTTP/2's preface": ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, "HTTP/1.1"),
    "a head of 300 KB": (GET + "X: " + 300_000 * "a" + "\r\n\r\n", 431, "longer than"),
}


@pytest.mark.parametrize("name", SMUGGLED)
def test_a_smuggled_request_is_refused_once_and_the_connection_closed(http, name):
    fields = {"host": f"Host: 127.0.0.1:{http.port}\r\n", "port": http.port,
              "auth": f"Authorization: Bearer {http.token}\r\n"}
    request, status, cause = SMUGGLED[name]
    answer = http.say((request + HIDDEN).format(**fields).encode())
    # The status alone could be the door's, or of a request that was understood.
    assert gateway.statuses(answer) == [status] and cause.encode() in answer, answer


def test_the_same_requests_without_their_fault_are_understood(http):
    head = f"POST /exec/nobody HTTP/1.1\r\nHost: 127.0.0.1:{http.port}\r\nAuthorization: Bearer {http.token}\r\n"
    head += "Content-Type: application/json\r\n"
    health = f"GET /health HTTP/1.0\r\nHost: 127.0.0.1:{http.port}\r\n\r\n"
    for framed in ("Content-Length: 4\r\n\r\nnull", CHUNKED + "\r\n5\r\nfalse\r\n0\r\n\r\n"):
        answer = http.say((head + framed + health).encode())
        assert gateway.statuses(answer) == [400, 200] and b"no JSON object" in answer, answer


def test_requests_in_one_piece_are_answered_in_order(http):
    one = f"GET /list HTTP/1.1\r\nHost: localhost:{http.port}\r\nAuthorization: Bearer {http.token}\r\n"
    health = f"GET /health HTTP/1.1\r\nHost: localhost:{http.port}\r\n"
    answer = http.say(f"{one}\r\n{health}\r\n{one}Connection: close\r\n\r\n".encode())
    assert gateway.statuses(answer) == [200, 200, 200]
    assert answer.index(b"sessions") < answer.index(b'"ok"')


def posted(http, framing, body):
    head = (f"POST /exec/nobody HTTP/1.1\r\nHost: 127.0.0.1:{http.port}\r\nAuthorization: Bearer {http.token}\r\n"
            f"Content-Type: application/json\r\nConnection: close\r\n{framing}\r\n")
    return gateway.statuses(http.say(head.encode() + body))


def chunks(size):
    piece = b"10000\r\n" + 65536 * b" " + b"\r\n"
    rest = size % 65536
    return size // 65536 * piece + (b"%x\r\n" % rest + rest * b" " + b"\r\n" if rest else b"") + b"0\r\n\r\n"


def test_a_body_of_ten_megabytes_is_read_and_not_one_byte_more(http):
    # Spaces are no JSON: whoever reads the body says 400.
    assert posted(http, f"Content-Length: {LIMIT}\r\n", LIMIT * b" ") == [400]
    assert posted(http, f"Content-Length: {LIMIT + 1}\r\n", b"") == [413]
    assert posted(http, CHUNKED, chunks(LIMIT)) == [400]
    assert posted(http, CHUNKED, chunks(LIMIT + 1)) == [413]


def test_a_large_body_without_the_token_is_not_read(http):
    head = f"POST /exec/x HTTP/1.1\r\nHost: 127.0.0.1:{http.port}\r\nContent-Length: {LIMIT}\r\n\r\n"
    assert gateway.statuses(http.say(head.encode()))[0] in (401, 429)


def test_any_number_of_silent_connections_keeps_nobody_out(http):
    """More than there are places: the oldest of those without the token give way, and are told so by the end."""
    silent = [http.connect() for _ in range(200)]
    try:
        # Below the minute for which one may be idle.
        assert http.ask("GET", "/list", limit=20).status == 200
        assert silent[0].recv(1) == b""
        # Half of a head is no token.
        slow = [http.connect() for _ in range(200)]
        silent += slow
        for client in slow[72:]:
            client.sendall(b"GET /list HTTP/1.1\r\n")
        assert http.ask("GET", "/list", limit=20).status == 200
    finally:
        for client in silent:
            client.close()
