"""Commands without a reader, with several, and with one who comes later: what they print is kept, and nothing grows."""
import hashlib
import itertools
import os
import stat

import grpc
import pytest

from support import process_tree, rpc
from support.eventually import eventually

pytestmark = pytest.mark.integration

MIB = 1 << 20
# What capsem-process may grow by, whatever passes: a spool's memory, queues of gRPC, what malloc keeps.
GROWTH = 40 * MIB


def flat_memory(capsem, session):
    """Of the service and of the session's process, which is there when it answers."""
    assert capsem.exec(session, "true").code == 0
    return process_tree.flat_memory([capsem.service_pid(), capsem.info(session)["process_pid"]], GROWTH)


BLOCK = bytes(range(256)) * 4096


def printing(mebibytes):
    """A command that prints so much, each MiB of it another: its argv, and how long that is."""
    script = f"import sys\nb=bytes(range(256))*4096\nfor i in range({mebibytes}): sys.stdout.buffer.write(b[i:]+b[:i])\n"
    return ["python3", "-c", script], mebibytes * MIB


def digest_of(mebibytes):
    told = hashlib.sha256()
    for shift in range(mebibytes):
        told.update(BLOCK[shift:] + BLOCK[:shift])
    return told.hexdigest()


def read_all(events):
    """(sha256, bytes, exit code, bytes dropped, offset of the first byte); offsets must have no gap."""
    told, length, code, dropped, first = hashlib.sha256(), 0, None, 0, None
    for event in events:
        if event.stdout:
            first = event.offset if first is None else first
            assert event.offset == first + length
            told.update(event.stdout)
            length += len(event.stdout)
        dropped += event.dropped
        if event.HasField("exit"):
            code = event.exit.code
    return told.hexdigest(), length, code, dropped, first


def is_held(client, session, number):
    return eventually("the command is held", 120, lambda: client.execs_of(session)[number].held)


def test_100_mib_that_nobody_reads(capsem, client, box):
    command, length = printing(100)
    with flat_memory(capsem, box):
        number = client.detach(box, *command)
        is_held(client, box, number)
        info = client.execs_of(box)[number]
        assert (info.first_offset, info.readers) == (0, 0)
        assert 60 * MIB < info.end_offset < 65 * MIB
        assert rpc.exec_argv(client, box, "echo", "others go on").stdout == b"others go on\n"
        assert read_all(client.attach(box, number)) == (digest_of(100), length, 0, 0, 0)


def test_a_held_command_that_is_ended_has_ended(capsem, client, box):
    number = client.detach(box, "trap 'exit 7' TERM; cat /dev/zero & wait")
    is_held(client, box, number)
    client.signal(box, number, 15)
    info = eventually("it has ended", 60, lambda: (client.execs_of(box)[number].HasField("exit") and
                                                   client.execs_of(box)[number]))
    assert (info.exit.code, info.first_offset, info.held) == (7, 0, False)
    client.exec(box, "pkill", "-x", "cat")


def test_80_mib_of_a_command_that_may_drop(client, box):
    command, length = printing(80)
    number = client.detach(box, *command, when_full=rpc.execs_pb2.WHEN_FULL_DROP)
    info = eventually("it has ended", 120, lambda: (client.execs_of(box)[number].HasField("exit") and
                                                    client.execs_of(box)[number]))
    assert info.first_offset > 14 * MIB
    _, kept, code, dropped, first = read_all(client.attach(box, number))
    assert (kept + dropped, code, first) == (length, 0, dropped)
    assert dropped == info.first_offset
    with pytest.raises(grpc.RpcError) as refused:
        next(client.attach(box, number, offset=0))
    assert refused.value.code() == grpc.StatusCode.OUT_OF_RANGE
    error = rpc.error_of(refused.value)
    assert error.code == "OutOfRange"
    assert str(dropped) in error.cause and str(dropped) in error.remedy


def through(capsem, client, box, mebibytes):
    command, length = printing(mebibytes)
    with flat_memory(capsem, box):
        assert read_all(client.start(box, *command, limit=3600)) == (digest_of(mebibytes), length, 0, 0, 0)


def test_128_mib_pass_with_flat_memory(capsem, client, box):
    through(capsem, client, box, 128)


@pytest.mark.long
@pytest.mark.spool
def test_1_gib_passes_with_flat_memory(capsem, client, box):
    through(capsem, client, box, 1024)


def test_a_slow_reader_stops_the_command_and_not_the_daemon(capsem, client, box):
    command, length = printing(64)
    with flat_memory(capsem, box):
        call = client.start(box, *command)
        number = next(call).started.exec
        is_held(client, box, number)
        assert client.execs_of(box)[number].end_offset < 16 * MIB
        assert rpc.exec_argv(client, box, "echo", "others go on").stdout == b"others go on\n"
        assert read_all(call)[1:] == (length, 0, 0, 0)


def test_output_that_is_kept_is_nobody_else_s_and_goes_with_the_machine(capsem, client):
    session = capsem.create("-n", "spooled")
    command, length = printing(4)
    number = client.detach(session, *command)
    spools = os.path.join(capsem.session_folder(capsem.info(session)["id"]), "spools")
    spool = os.path.join(spools, str(number))
    eventually("the command has ended", 60, lambda: client.execs_of(session)[number].HasField("exit"))
    eventually("what is older than 1 MiB is in its file", 60, lambda: os.path.exists(spool) and os.stat(spool).st_size > 2 * MIB)
    assert [stat.S_IMODE(os.stat(path).st_mode) for path in (spools, spool)] == [0o700, 0o600]
    assert read_all(client.attach(session, number, offset=length - MIB))[1:3] == (MIB, 0)
    capsem.ok("stop", session)
    assert not os.path.exists(spool)
    capsem.ok("start", session)
    assert client.execs_of(session) == {}
    capsem.ok("delete", session)


def test_a_time_limit_ends_a_command_that_nobody_reads(capsem, box):
    number = capsem.run("exec", "-d", "--timeout", "1", box, "--", "echo up; setsid sleep 864").text.strip()
    result = capsem.run("attach", box, number)
    assert (result.code, result.out) == (124, b"up\n")
    assert capsem.exec(box, "pgrep", "-f", "^sleep 864").code == 1


def test_two_readers_at_once_hear_the_same(client, box):
    call = client.start(box, "echo out; read line; echo $line; echo err >&2; exit 5", stdin=[], on_disconnect=0)
    number = next(call).started.exec
    other = client.attach(box, number, offset=0)
    assert next(other).started.exec == number
    # The first one's stdin has ended: both hear how it goes on.
    first, second = rpc.collect(itertools.chain([started(number)], call)), rpc.collect(itertools.chain([started(number)], other))
    assert (first.stdout, first.stderr, first.code) == (b"out\n\n", b"err\n", 5)
    assert (second.stdout, second.stderr, second.code) == (first.stdout, first.stderr, first.code)


def started(number):
    return rpc.execs_pb2.ExecEvent(started=rpc.execs_pb2.ExecStarted(exec=number))


def test_one_who_attaches_may_write_too(client, box):
    number = client.detach(box, "cat", stdin=[])
    more = [rpc.execs_pb2.ExecInput(stdin=b"from afar\n"), rpc.execs_pb2.ExecInput(stdin_eof=True)]
    assert rpc.collect(client.attach(box, number, more=more)).stdout == b"from afar\n"


def test_one_who_leaves_ends_nothing(client, box):
    number = client.detach(box, "for i in 1 2 3 4 5 6 7 8 9 10; do echo $i; sleep 0.2; done")
    reader = client.attach(box, number)
    next(reader)
    reader.cancel()
    assert rpc.collect(client.attach(box, number)).stdout == b"".join(b"%d\n" % i for i in range(1, 11))


def test_a_command_whose_caller_left_is_kept_when_it_said_so(client, box):
    call = client.start(box, "echo before; sleep 1; echo after", on_disconnect=rpc.execs_pb2.ON_DISCONNECT_KEEP)
    number = next(call).started.exec
    call.cancel()
    assert rpc.collect(client.attach(box, number)).stdout == b"before\nafter\n"


def test_a_command_that_has_ended_is_read_as_one_that_runs(capsem, box):
    number = capsem.run("exec", "-d", box, "--", "echo out; echo err >&2; exit 6").text.strip()
    for _ in range(2):
        result = capsem.run("attach", box, number)
        assert (result.code, result.out, result.err) == (6, b"out\n", "err\n")
    assert capsem.run("attach", "--offset", "2", box, number).out == b"t\n"
    assert capsem.run("attach", "--json", box, number).json["exit_code"] == 6


def test_a_command_right_after_create_is_attached_to_at_once(capsem):
    session = capsem.create()
    number = capsem.run("exec", "-d", session, "--", "echo hi").text.strip()
    assert capsem.run("attach", session, number).out == b"hi\n"
    capsem.ok("delete", session)


def test_the_list_of_commands(capsem, client, box):
    runs = client.detach(box, "sleep", "864")
    ended = client.detach(box, "echo hello; exit 9")
    read_all(client.attach(box, ended))
    listed = {info["exec"]: info for info in capsem.run("ps", "--json", box).json}
    assert listed[runs]["state"] == "running" and listed[runs]["argv"] == ["sleep", "864"]
    assert listed[ended]["state"] == "exited" and listed[ended]["exit"]["code"] == 9
    assert listed[ended]["end_offset"] == 6
    text = capsem.ok("ps", box).text
    assert "sleep 864" in text and "exited (9)" in text
    assert capsem.run("kill", box, runs).code == 0
    assert capsem.run("attach", box, runs).code == 143
    code, cause, _ = capsem.cli.error("kill", "-s", "KILL", box, runs)
    assert code == 3 and f"no command {runs} runs" in cause


def test_kill_takes_names_and_numbers(capsem, client, box):
    for word, number in [("KILL", 9), ("SIGINT", 2), ("15", 15)]:
        command = client.detach(box, "sleep", "975")
        capsem.ok("kill", "-s", word, box, command)
        assert read_all(client.attach(box, command))[2] == 128 + number
    assert capsem.cli.error("kill", "-s", "NONE", box, 1)[0] == 2
    assert capsem.cli.error("kill", "-s", "65", box, 1)[0] == 2


def test_what_cannot_be_attached_to(capsem, client, box):
    result = capsem.run("attach", box, 999999)
    assert result.code == 125 and "no command 999999 is known" in result.err and "capsem ps" in result.err
    assert capsem.run("attach", box, "x").code == 125
    number = client.detach(box, "echo hi")
    result = capsem.run("attach", "--offset", "4", box, number)
    assert result.code == 125 and "has the bytes 0 to" in result.err
    stopped = capsem.create("-n", "halted")
    capsem.ok("stop", stopped)
    for verb in ["attach", "kill"]:
        assert "is not running" in capsem.run(verb, stopped, 1).err or "stopped" in capsem.run(verb, stopped, 1).err
    assert capsem.cli.error("ps", stopped)[0] == 4
    capsem.ok("delete", stopped)
