"""Another user of the host, and a service whose socket's mode lets him in: who he is is asked of the kernel, too."""
import os
import shutil
import socket
import subprocess
import sys

import pytest

STRANGER = 54321  # a uid of nobody
pytestmark = pytest.mark.integration

# Says what a client of HTTP/2 says first, and prints all that comes back until the service closes.
CLIENT = """
import socket, sys
client = socket.socket(socket.AF_UNIX)
client.settimeout(30)
client.connect(sys.argv[1])
try:
    client.sendall(b"PRI * HTTP/2.0\\r\\n\\r\\nSM\\r\\n\\r\\n\\0\\0\\0\\4\\0\\0\\0\\0\\0")
    print(len(client.recv(100)))
except (BrokenPipeError, ConnectionResetError):
    print(0)
"""


def as_stranger(uid, *command, **options):
    assert os.geteuid() == 0, "only root can be another user: run this suite as root"
    return subprocess.run(["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", *command], capture_output=True,
                          text=True, timeout=60, check=False, **options)


@pytest.fixture
def opened(home):
    """A service whose folders and socket anybody may reach."""
    home.start()
    for path, mode in ((home.home, 0o711), (f"{home.home}/run", 0o711), (home.socket, 0o666)):
        os.chmod(path, mode)
    return home


def test_the_folders_alone_keep_others_out(home):
    home.start()
    done = as_stranger(STRANGER, sys.executable, "-c", CLIENT, home.socket)
    assert "PermissionError" in done.stderr


def test_a_stranger_who_can_connect_is_heard_by_nobody(opened):
    done = as_stranger(STRANGER, sys.executable, "-c", CLIENT, opened.socket)
    assert (done.stdout, done.returncode) == ("0\n", 0), done
    with open(f"{opened.home}/service.log", encoding="utf-8") as log:
        [line] = [line for line in log if f"uid {STRANGER}" in line]
    assert f"a connection of uid {STRANGER} was refused: this server runs for uid 0" in line
    assert opened.socket in line
    # It refuses the stranger, not the socket.
    assert as_stranger(0, sys.executable, "-c", CLIENT, opened.socket).stdout != "0\n"
    assert opened.cli.json("list") == []


def test_a_connection_stays_the_one_who_made_it(opened):
    """What the kernel knows of the end that connected counts, whoever holds it later."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        code = ("import socket, sys; client = socket.socket(socket.AF_UNIX); client.connect(sys.argv[1]); "
                f"socket.send_fds(socket.socket(fileno={theirs.fileno()}), [b'x'], [client.fileno()])")
        done = as_stranger(STRANGER, sys.executable, "-c", code, opened.socket, pass_fds=[theirs.fileno()])
        assert done.returncode == 0, done
        _, [fd], _, _ = socket.recv_fds(ours, 1, 1)
    with socket.socket(fileno=fd) as handed:
        handed.settimeout(30)
        assert handed.recv(1) == b""


def test_the_cli_of_a_stranger_says_what_is_wrong(opened):
    # Where he can execute it, wherever this checkout is.
    program = shutil.copy(opened.cli.program, f"{opened.home}/capsem")
    done = as_stranger(STRANGER, program, "list", env={**opened.cli.environment, "HOME": "/nowhere"})
    assert done.returncode == 8, done
    cause, remedy = done.stderr.splitlines()
    assert opened.home in cause and remedy
