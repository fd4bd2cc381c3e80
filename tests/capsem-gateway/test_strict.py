"""What is understood: one request is never two, and nothing is larger than it may be."""
import pytest
from support import gateway

pytestmark = pytest.mark.gateway

LIMIT = 10 * 1024 * 1024
CHUNKED = "Transfer-Encoding: chunked\r\n"
HIDDEN = "GET /health HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n"

# Each tries to make the gateway see HIDDEN as a second request, or to be read in two ways.
SMUGGLED = {
    "CL and TE": "POST /list HTTP/1.1\r\n{host}Content-Length: 4\r\n" + CHUNKED + "\r\n0\r\n\r\n" + HIDDEN,
    "two CLs": "POST /list HTTP/1.1\r\n{host}Content-Length: 0\r\nContent-Length: 9\r\n\r\n" + HIDDEN,
    "TE xchunked": "POST /list HTTP/1.1\r\n{host}Transfer-Encoding: xchunked\r\n\r\n" + HIDDEN,
    "TE chunked, identity": "POST /list HTTP/1.1\r\n{host}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n" + HIDDEN,
    "bare LF": "GET /list HTTP/1.1\nHost: 127.0.0.1:{port}\n\n" + HIDDEN,
    "bare CR (CVE-2023-30589)": "GET /list HTTP/1.1\r\n{host}Dummy:\rContent-Length: 5\r\n\r\n" + HIDDEN,
    "CR only": "GET /list HTTP/1.1\rHost: 127.0.0.1:{port}\r\r" + HIDDEN,
    "obs-fold": "GET /list HTTP/1.1\r\n{host}X: a\r\n Content-Length: 5\r\n\r\n" + HIDDEN,
    "NUL": "GET /list HTTP/1.1\r\n{host}X: a\0b\r\n\r\n" + HIDDEN,
    "a space before the colon": "POST /list HTTP/1.1\r\n{host}Content-Length : 5\r\n\r\n" + HIDDEN,
    "chunk size 0x5": "POST /list HTTP/1.1\r\n{host}{auth}" + CHUNKED + "\r\n0x5\r\nhello\r\n0\r\n\r\n" + HIDDEN,
    "chunk with bare LF": "POST /list HTTP/1.1\r\n{host}{auth}" + CHUNKED + "\r\n5\nhello\r\n0\r\n\r\n" + HIDDEN,
    "two Hosts": "GET /list HTTP/1.1\r\n{host}Host: evil\r\n\r\n" + HIDDEN,
    "no Host": "GET /list HTTP/1.1\r\n\r\n" + HIDDEN,
    "absolute form": "GET http://evil/list HTTP/1.1\r\n{host}\r\n" + HIDDEN,
    "CONNECT": "CONNECT evil:443 HTTP/1.1\r\n{host}\r\n" + HIDDEN,
    "CL -1": "POST /list HTTP/1.1\r\n{host}Content-Length: -1\r\n\r\n" + HIDDEN,
    "CL +4": "POST /list HTTP/1.1\r\n{host}Content-Length: +4\r\n\r\n" + HIDDEN,
    "HTTP/0.9": "GET /list\r\n\r\n" + HIDDEN,
    "HTTP/2's preface": "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + HIDDEN,
    "a head of 300 KB": "GET /list HTTP/1.1\r\n{host}X: " + 300_000 * "a" + "\r\n\r\n" + HIDDEN,
}


@pytest.mark.parametrize("name", SMUGGLED)
def test_a_smuggled_request_is_refused_once_and_the_connection_closed(http, name):
    fields = {"host": f"Host: 127.0.0.1:{http.port}\r\n", "port": http.port,
              "auth": f"Authorization: Bearer {http.token}\r\n"}
    answer = http.say(SMUGGLED[name].format(**fields).encode())
    found = gateway.statuses(answer)
    assert len(found) == 1 and (400 <= found[0] < 500 or found[0] == 505), answer


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
