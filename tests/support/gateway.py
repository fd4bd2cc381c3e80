"""The gateway of a service under test, as an HTTP client sees it: whole requests, and bytes that are none."""
import http.client
import json
import os
import re
import socket

from support.eventually import eventually

# Seconds from the service's word that it listens: two cores that carry four machines take their time.
START_LIMIT = 30
# Seconds; ends a test whose request hangs.
LIMIT = 120


class Answer:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"{self.status} {self.headers} {self.body[:500]!r}"


class Gateway:
    def __init__(self, port, token):
        self.port = port
        self.token = token

    def ask(self, method, path, body=None, token=None, limit=LIMIT, **headers):
        """One request on a connection of its own; `token` "" = none, None = the right one."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=limit)
        token = self.token if token is None else token
        if token:
            headers["Authorization"] = f"Bearer {token}"
        if isinstance(body, (dict, list)):
            body = json.dumps(body)
            headers.setdefault("Content-Type", "application/json")
        try:
            connection.request(method, path, body=body, headers={key.replace("_", "-"): value for key, value in headers.items()})
            response = connection.getresponse()
            return Answer(response.status, dict(response.getheaders()), response.read())
        finally:
            connection.close()

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.port), timeout=LIMIT)

    def say(self, request):
        """All that is answered to these bytes until the gateway closes."""
        with self.connect() as client:
            client.sendall(request)
            return read_all(client)


def read_all(client):
    answer = b""
    while True:
        try:
            piece = client.recv(65536)
        except ConnectionResetError:
            return answer
        if not piece:
            return answer
        answer += piece


def statuses(answer):
    """The status of each response in these bytes."""
    return [int(number) for number in re.findall(rb"HTTP/1\.1 (\d{3}) ", answer)]


def of(service):
    """The gateway of this service, once it listens."""
    path = f"{service.home}/run/gateway.port"
    eventually("the gateway listens", START_LIMIT, lambda: os.path.exists(path))
    with open(path, encoding="ascii") as port, open(f"{service.home}/run/gateway.token", encoding="ascii") as token:
        return Gateway(int(port.read()), token.read().strip())
