"""Anything may be killed: the session says why, waiting calls end, nothing is left."""
import os
import signal

import grpc
import pytest

from support import capsem_home, rpc
from support.eventually import eventually

pytestmark = pytest.mark.integration


def wait_and_kill(capsem, client, victim):
    """Kills a process of a session with a command in flight; gives (what the command's call ended with, session)."""
    session = capsem.create()
    call = client.execs.Exec(iter([rpc.argv_input(session, "sh", "-c", "echo up; sleep 1000")]))
    while not next(call).stdout:
        pass
    info = capsem.info(session)
    os.kill(info[victim], signal.SIGKILL)
    with pytest.raises(grpc.RpcError) as ended:
        list(call)
    return ended.value, session, info


def test_kill_9_of_qemu_is_told_with_its_reason(capsem, client):
    error, session, info = wait_and_kill(capsem, client, "machine_pid")
    assert error.code() == grpc.StatusCode.UNAVAILABLE
    found = eventually("the session has failed", 1, lambda: failed(client, session))
    assert "signal 9" in found.reason or "Killed" in found.reason
    eventually("its process has left", 2, lambda: not capsem_home.alive(info["process_pid"]))
    assert "failed" in capsem.ok("list").text
    capsem.ok("delete", session)


def test_kill_9_of_capsem_process_takes_qemu_along(capsem, client):
    error, session, info = wait_and_kill(capsem, client, "process_pid")
    assert error.code() == grpc.StatusCode.UNAVAILABLE
    eventually("QEMU is gone with its process", 1, lambda: not capsem_home.alive(info["machine_pid"]))
    found = eventually("the session has failed", 1, lambda: failed(client, session))
    assert found.reason
    capsem.ok("delete", session)


def failed(client, session):
    found = client.sessions.Get(rpc.sessions_pb2.GetSessionRequest(session=session))
    return found if found.state == rpc.sessions_pb2.SESSION_STATE_FAILED else None


def test_an_exec_on_a_failed_session_says_what_to_do(capsem, client):
    _, session, _ = wait_and_kill(capsem, client, "machine_pid")
    eventually("the session has failed", 1, lambda: failed(client, session))
    result = capsem.exec(session, "true")
    assert result.code == 125
    assert "capsem" in result.err
    capsem.ok("delete", session)


def test_kill_9_of_the_service_leaves_nothing_after_the_lease():
    with capsem_home.CapsemHome(config="orphan_lease_s = 1\n") as home:
        sessions = [home.create() for _ in range(2)]
        assert home.exec(sessions[0], "true").code == 0
        home.kill()
        eventually("nothing of it is left", 10, lambda: not home.processes())
        assert home.ok("list", "--json").json == []
        assert not any(name.startswith("sessions/") for name in home.files())


def said_when_the_service_was_killed(home, cli):
    """(exit code, cause, remedy) of a call of the CLI under which the service was killed."""
    os.kill(home.pid, signal.SIGKILL)
    home.process.wait()
    home.forget_connection()
    _, err = cli.communicate(timeout=30)
    cause, remedy = err.decode().splitlines()
    home.ok("list")  # as the remedy says
    return cli.returncode, cause, remedy


def test_kill_9_of_the_service_under_a_command_says_that_it_may_have_run(fresh_capsem):
    session = fresh_capsem.create()
    cli = fresh_capsem.popen("exec", session, "--", "sh", "-c", "echo up; sleep 1000")
    assert cli.stdout.readline() == b"up\n"
    code, cause, remedy = said_when_the_service_was_killed(fresh_capsem, cli)
    assert code == 125
    assert "the service went away" in cause and "the command may have run" in cause
    assert "before you say it again" in remedy and "capsem list" in remedy


@pytest.mark.parametrize("verb", [["stop", "--grace", "200"], ["restart", "--grace", "200"]], ids=lambda verb: verb[0])
def test_kill_9_of_the_service_under_a_stop_has_a_remedy(fresh_capsem, verb):
    session = fresh_capsem.create("-n", "box")
    assert fresh_capsem.exec(session, "true").code == 0
    os.kill(fresh_capsem.info(session)["machine_pid"], signal.SIGSTOP)  # its guest cannot end by itself
    cli = fresh_capsem.popen(*verb, session)
    eventually("the stop has begun", 10, lambda: '"stopping"' in fresh_capsem.logs())
    code, cause, remedy = said_when_the_service_was_killed(fresh_capsem, cli)
    assert code == 6
    assert "the service went away" in cause and "done or not" in cause
    assert "capsem list" in remedy


def test_a_guest_that_powers_off_ends_its_session(capsem, client):
    session = capsem.create()
    with pytest.raises(grpc.RpcError):
        rpc.exec_argv(client, session, "sh", "-c", "echo o > /proc/sysrq-trigger; sleep 1000")
    eventually("an ephemeral session that has ended is gone", 10,
               lambda: capsem.run("info", session).code == 3)


def test_a_guest_that_panics_has_failed_with_its_console(capsem, client):
    session = capsem.create()
    with pytest.raises(grpc.RpcError) as ended:
        rpc.exec_argv(client, session, "sh", "-c", "echo c > /proc/sysrq-trigger; sleep 1000")
    assert ended.value.code() == grpc.StatusCode.UNAVAILABLE
    found = eventually("the session has failed", 10, lambda: failed(client, session))
    assert "panic" in found.reason.lower()
    assert "sysrq" in found.console.lower() and len(found.console) <= 4096
    assert "its console ended with:" in capsem.ok("info", session).text
    assert "sysrq" in capsem.ok("logs", "--serial", session).text.lower()
    capsem.ok("delete", session)


# A module of the guest's own kernel whose beginning writes to address 0 (xor eax, eax; mov [rax], eax), after the call of
# __fentry__ that every function begins with. Without its signature, which is what stands after the table of sections.
OOPS = """
import glob, struct, subprocess
[path] = glob.glob("/lib/modules/*/kernel/arch/x86/kernel/msr.ko")
module = bytearray(open(path, "rb").read())
[table] = struct.unpack_from("<Q", module, 0x28)
size, count = struct.unpack_from("<HH", module, 0x3a)
del module[table + size * count:]
offsets = [struct.unpack_from("<Q", module, table + i * size + 24)[0] for i in range(count)]
kinds = [struct.unpack_from("<I", module, table + i * size + 4)[0] for i in range(count)]
symbols = kinds.index(2)
[length] = struct.unpack_from("<Q", module, table + symbols * size + 32)
[names] = struct.unpack_from("<I", module, table + symbols * size + 40)
for at in range(offsets[symbols], offsets[symbols] + length, 24):
    name, _, section, value = struct.unpack_from("<IHHQ", module, at)
    if module[offsets[names] + name:].startswith(b"init_module\\0"):
        code = offsets[section] + value
        assert module[code] == 0xe8
        module[code + 5:code + 9] = bytes.fromhex("31c08900")
open("/tmp/oops.ko", "wb").write(module)
subprocess.run(["insmod", "/tmp/oops.ko"])
"""


def test_a_guest_whose_kernel_oopses_has_failed_with_its_console(capsem, client):
    session = capsem.create()
    with pytest.raises(grpc.RpcError) as ended:
        rpc.exec_argv(client, session, "python3", "-c", OOPS)
    assert ended.value.code() == grpc.StatusCode.UNAVAILABLE
    found = eventually("the session has failed", 10, lambda: failed(client, session))
    assert "panic" in found.reason
    assert "Oops" in found.console and "NULL pointer" in found.console, found.console
    assert len(found.console) <= 4096
    capsem.ok("delete", session)


def test_run_is_bound_to_its_call(capsem):
    cli = capsem.popen("run", "--", "sh", "-c", "echo up; sleep 1000")
    assert cli.stdout.readline() == b"up\n"
    assert len(capsem.ok("list", "-q").text.split()) == 1
    cli.kill()
    cli.wait()
    eventually("its session is gone", 10, lambda: not capsem.ok("list", "-q").text.split())


def test_eight_starters_converge_to_one_service(fresh_capsem):
    starters = [fresh_capsem.popen("status", "--json") for _ in range(8)]
    outputs = [starter.communicate()[0] for starter in starters]
    assert all(starter.returncode == 0 for starter in starters)
    import json
    assert len({json.loads(output)["pid"] for output in outputs}) == 1


# Only the guest's root can do that, as a tracer: 0x4206 is PTRACE_SEIZE, 0x4207 PTRACE_INTERRUPT.
STOP_PID_1 = """
import ctypes, os, time
libc = ctypes.CDLL(None)
libc.ptrace(0x4206, 1, 0, 0)
libc.ptrace(0x4207, 1, 0, 0)
os.waitpid(1, 0x40000000)
"""
# PTRACE_GETREGS, the program counter to nowhere, PTRACE_SETREGS, PTRACE_DETACH: who is traced is not killed by it.
CRASH_PID_1 = STOP_PID_1 + """
registers = (ctypes.c_ulong * 27)()
libc.ptrace(12, 1, 0, ctypes.byref(registers))
registers[16] = 0
libc.ptrace(13, 1, 0, ctypes.byref(registers))
libc.ptrace(17, 1, 0, 0)
"""


# More than what is kept of a console, then its end.
LAST_WORDS = """
with open("/dev/console", "w") as console:
    console.write("a line that is too old\\n" * 400 + "the last words\\n")
"""


@pytest.mark.parametrize("script,reason,said", [(STOP_PID_1, "has not answered for 30 s", "the last words"),
                                                (CRASH_PID_1, "panic", "Attempted to kill init")],
                         ids=["stopped", "crashed"])
def test_a_guest_whose_first_process_is_stopped_or_dies_has_failed_with_its_console(capsem, client, script, reason, said):
    session = capsem.create()
    with pytest.raises(grpc.RpcError) as ended:
        rpc.exec_argv(client, session, "python3", "-c", LAST_WORDS + script + "time.sleep(1000)")
    assert ended.value.code() == grpc.StatusCode.UNAVAILABLE
    found = eventually("the session has failed", 60, lambda: failed(client, session))
    assert reason in found.reason
    assert said in found.console and 3000 < len(found.console) <= 4096, found.console
    capsem.ok("delete", session)
