"""The link survives what happens to its device, on a real machine; and nobody but the agent may speak on it."""
import hashlib
import threading

import grpc
import pytest

from support import rpc
from support.capsem_home import CapsemHome

pytestmark = pytest.mark.guest

MIB = 1 << 20
BLOCK = bytes(range(256)) * 256  # 64 KiB
PRODUCER = "import sys\nb=bytes(range(256))*256\nfor i in range(1024): sys.stdout.buffer.write(b[i%256:]+b[:i%256])\n"
CONSUMER = ("import sys,hashlib\nh=hashlib.sha256(); n=0\nwhile True:\n"
            " b=sys.stdin.buffer.read(65536)\n if not b: break\n h.update(b); n+=len(b)\nprint(n,h.hexdigest())\n")


def block(index):
    shift = index % 256
    return BLOCK[shift:] + BLOCK[:shift]


@pytest.mark.parametrize("rebuild", [False, True], ids=["replug", "rebuilt-link"])
def test_64_mib_each_way_while_the_device_is_replugged_20_times(capsem, client, rebuild):
    session = capsem.create()
    wanted = hashlib.sha256()
    for index in range(1024):
        wanted.update(block(index))
    idle = client.execs.Exec(iter([rpc.argv_input(session, "cat", stdin_open=True)]))  # opened first: ids stay apart
    assert next(idle).started.exec
    down, up = hashlib.sha256(), []

    def receive():
        for event in client.execs.Exec(iter([rpc.argv_input(session, "python3", "-c", PRODUCER)])):
            down.update(event.stdout)

    def feed():
        yield rpc.argv_input(session, "python3", "-c", CONSUMER, stdin_open=True)
        for index in range(1024):
            yield rpc.execs_pb2.ExecInput(stdin=block(index))
        yield rpc.execs_pb2.ExecInput(stdin_eof=True)

    threads = [threading.Thread(target=receive),
               threading.Thread(target=lambda: up.append(rpc.collect(client.execs.Exec(feed()))))]
    for thread in threads:
        thread.start()
    machine = capsem.machine_stub(session)
    machine.Replug(rpc.process_pb2.ReplugRequest(times=20, rebuild_link=rebuild))
    for thread in threads:
        thread.join()
    assert down.hexdigest() == wanted.hexdigest()
    assert up[0].stdout.decode().split() == [str(64 * MIB), wanted.hexdigest()]
    idle.cancel()
    assert rpc.exec_argv(client, session, "echo", "after").stdout == b"after\n"
    capsem.ok("delete", session)


DIAL = """
import socket, sys
s = socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)
s.settimeout(10)
try:
    s.connect((2, int(sys.argv[1])))
    print('connected', s.recv(100))
except OSError as error:
    print('refused', error.errno)
"""


@pytest.mark.parametrize("port", [5000, 1, 22, 5001, 4294967294])
def test_an_unprivileged_process_that_dials_gets_nothing(capsem, box, port):
    result = capsem.exec(box, "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
                         "python3", "-c", DIAL, str(port))
    assert result.text.startswith("refused"), result


def test_root_that_dials_from_a_low_port_displaces_nobody(capsem, box):
    script = DIAL.replace("s.settimeout(10)", "s.settimeout(10); s.bind((socket.VMADDR_CID_ANY, 1000))")
    result = capsem.exec(box, "python3", "-c", script, "5000")
    assert "secret" not in result.text
    assert capsem.exec(box, "echo", "still here").out == b"still here\n"


def test_what_only_tests_may_ask_is_refused_where_it_was_not_asked_for():
    with CapsemHome(test_rpcs=False) as plain:
        session = plain.create()
        assert plain.exec(session, "true").code == 0
        with pytest.raises(grpc.RpcError) as refused:
            plain.machine_stub(session).Replug(rpc.process_pb2.ReplugRequest(times=1))
        assert refused.value.code() == grpc.StatusCode.FAILED_PRECONDITION
        for port in ("5100", "5101"):  # of tools/bench/run link
            assert plain.exec(session, "python3", "-c", DIAL, port).text.startswith("refused")


@pytest.mark.parametrize("proof", [None, "", "0" * 64], ids=["none", "empty", "wrong"])
def test_process_sock_answers_nobody_without_the_secret(capsem, box, proof):
    channel = grpc.insecure_channel(f"unix:{capsem.session_folder(box)}/process.sock")
    if proof is not None:
        channel = grpc.intercept_channel(channel, rpc.Metadata("capsem-proof", proof))
    stub = rpc.process_grpc.MachineStub(channel)
    calls = [lambda: list(stub.Hold(rpc.process_pb2.HoldRequest())),
             lambda: list(stub.Exec(iter([rpc.argv_input(box, "true")]))),
             lambda: stub.Signal(rpc.execs_pb2.SignalRequest(exec=1, signal=9)),
             lambda: stub.Stop(rpc.process_pb2.StopRequest()),
             lambda: stub.SetKeep(rpc.process_pb2.SetKeepRequest(keep=True)),
             lambda: stub.Replug(rpc.process_pb2.ReplugRequest(times=1))]
    for call in calls:
        with pytest.raises(grpc.RpcError) as refused:
            call()
        assert refused.value.code() == grpc.StatusCode.UNAUTHENTICATED
    assert capsem.exec(box, "echo", "alive").out == b"alive\n"


def test_a_process_proves_that_it_is_the_one_of_the_registry(capsem, box):
    stub = capsem.machine_stub(box)
    [one, two] = [stub.Introduce(rpc.process_pb2.IntroduceRequest(nonce=b"n" * 32)) for _ in range(2)]
    assert one.session_id == capsem.info(box)["id"]
    assert one.proof == capsem.prove(box, b"capsem process" + b"n" * 32 + one.nonce)
    assert one.nonce != two.nonce
    with pytest.raises(grpc.RpcError) as refused:
        stub.Introduce(rpc.process_pb2.IntroduceRequest(nonce=b"short"))
    assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT
