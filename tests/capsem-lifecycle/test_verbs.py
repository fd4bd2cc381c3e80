"""Every verb in every state that can be had from outside: done, or refused with what to do instead."""
import os
import signal

import grpc
import pytest

from support import rpc
from support.eventually import eventually

pytestmark = pytest.mark.lifecycle

pb = rpc.sessions_pb2

VERBS = {
    "start": lambda client, session: client.sessions.Start(pb.StartSessionRequest(session=session)),
    "stop": lambda client, session: client.stop(session),
    "restart": lambda client, session: client.sessions.Restart(pb.RestartSessionRequest(session=session)),
    "persist": lambda client, session: client.sessions.Persist(pb.PersistSessionRequest(session=session)),
    "rename": lambda client, session: client.sessions.Rename(pb.RenameSessionRequest(session=session, name="other")),
    "exec": lambda client, session: client.exec(session, "true"),
    "cp from": lambda client, session: client.read_file(session, b"/etc/hostname"),
    "cp to": lambda client, session: client.write_file(session, b"/root/file", b"written"),
    "ps": lambda client, session: client.execs_of(session),
    "attach": lambda client, session: list(client.attach(session, 1)),
    "kill": lambda client, session: client.signal(session, 1, 15),
    "shell": lambda client, session: client.exec(session, "true", pty=rpc.execs_pb2.Pty()),
}
# What needs a machine, as exec does, and is refused with it.
LIKE_EXEC = ("cp from", "cp to", "ps", "attach", "kill", "shell")

# (kind, state) → the verbs that are refused there, each with what its remedy names.
REFUSED = {
    ("ephemeral", "creating"): {"restart": "capsem persist {}", "rename": "capsem persist {} NAME"},
    ("ephemeral", "stopping"): {"start": "capsem create", "restart": "capsem create", "persist": "capsem create",
                                "rename": "capsem create", "exec": "capsem create"},
    ("persistent", "creating"): {"persist": "capsem rename {} NAME"},
    ("persistent", "stopping"): {"start": "capsem restart {}", "persist": "capsem rename {} NAME", "exec": "capsem restart {}"},
    ("bound", "creating"): {"restart": "capsem create", "persist": "capsem create", "rename": "capsem create"},
    ("bound", "running"): {"restart": "capsem create", "persist": "capsem create", "rename": "capsem create"},
    ("bound", "stopping"): {"start": "capsem create", "restart": "capsem create", "persist": "capsem create",
                            "rename": "capsem create", "exec": "capsem create"},
    ("ephemeral", "running"): {"restart": "capsem persist {}", "rename": "capsem persist {} NAME"},
    ("ephemeral", "failed"): {"start": "delete it", "stop": "capsem delete {}", "restart": "delete it",
                              "persist": "delete it", "rename": "delete it", "exec": "capsem logs {}"},
    ("persistent", "running"): {"persist": "capsem rename {} NAME"},
    ("persistent", "stopped"): {"stop": "capsem start {}", "persist": "capsem rename {} NAME", "exec": "capsem start {}"},
    ("persistent", "failed"): {"stop": "capsem start {}", "persist": "capsem rename {} NAME", "exec": "capsem start {}"},
}
# What leaves the session as it was, so that the next verb finds the state it wants.
HARMLESS = {"ephemeral": ("start", "exec", "cp from", "ps"), "persistent": ("exec", "cp to", "rename"), "bound": ("start", "exec")}
# What would wait for the guest, which does not come there.
WAITS = ("exec", "cp from", "cp to")


def begin(capsem, kind, state):
    """A new session, whose machine may still be starting."""
    if kind != "bound":
        return capsem.create(*(["-n", f"{kind}-{state}"] if kind == "persistent" else []))
    capsem.bound_call = capsem.popen("run", "--", "sleep", "1000")
    return eventually("it is made", 10, lambda: next((one["id"] for one in capsem.ok("list", "--json").json if one["kind"] == "bound"), None))


def hold(capsem, session):
    """Its guest does nothing from now on."""
    folder = capsem.session_folder(session)
    machine = eventually("its QEMU is there", 10, lambda: next((one for one in capsem.processes() if one.name.startswith("qemu-")
                                                                 and one.folder == folder), None))
    os.kill(machine.pid, signal.SIGSTOP)


def bring(capsem, kind, state):
    session = begin(capsem, kind, state)
    if state == "creating":
        hold(capsem, session)
        return session
    assert capsem.exec(session, "true").code == 0
    if state == "stopping":
        hold(capsem, session)
        # The service takes calls in order: who calls after this finds it stopping.
        capsem.stop_call = capsem.api.sessions.Stop.future(pb.StopSessionRequest(session=session, grace_ms=60_000))
    if state == "stopped":
        capsem.ok("stop", session)
    if state == "failed":
        os.kill(capsem.info(session)["machine_pid"], 9)
        eventually("it has failed, and its process has left", 5,
                   lambda: (found := capsem.info(session))["state"] == "failed" and found["process_pid"] == 0)
    return session


@pytest.mark.parametrize("kind, state", REFUSED)
def test_what_is_refused_says_what_to_do_instead_and_changes_nothing(capsem, client, kind, state):
    session = bring(capsem, kind, state)
    before = capsem.info(session)
    label = before["name"] or session
    refusals = dict(REFUSED[kind, state])
    refusals.update({verb: refusals["exec"] for verb in LIKE_EXEC if "exec" in refusals})
    for verb, remedy in refusals.items():
        with pytest.raises(grpc.RpcError) as refused:
            VERBS[verb](client, session)
        error = rpc.error_of(refused.value)
        assert refused.value.code() == grpc.StatusCode.FAILED_PRECONDITION, (verb, error)
        assert label in error.cause, error
        assert remedy.format(label) in error.remedy, (verb, error)
    assert capsem.info(session) == before
    for verb in HARMLESS[kind]:
        if verb not in refusals and not (state == "creating" and verb in WAITS):
            VERBS[verb](client, session)
    # Of one that is being stopped it is said that it runs, until it does no more.
    assert capsem.info(session)["state"] == {"stopping": "running"}.get(state, state)
    # Allowed in every state, and at once.
    capsem.ok("delete", session)
    assert capsem.run("info", session).code == 3


def test_start_of_what_runs_is_done_already(capsem, client):
    session = capsem.create("-n", "twice")
    answers = [VERBS["start"](client, session) for _ in range(2)]
    assert {answer.id for answer in answers} == {session}
    assert capsem.exec(session, "true").code == 0
    pid = capsem.info(session)["process_pid"]
    assert VERBS["start"](client, session).id == session
    assert capsem.exec(session, "true").code == 0
    assert capsem.info(session)["process_pid"] == pid != 0
    capsem.ok("delete", session)


def test_while_it_stops_a_second_stop_waits_and_a_start_is_refused(capsem, client):
    session = capsem.create("-n", "slow")
    # A guest that does not power off until it is forced to.
    assert capsem.exec(session, "sh", "-c", "trap '' TERM; (while :; do sleep 100; done) >/dev/null 2>&1 & echo").code == 0
    stops = [client.sessions.Stop.future(pb.StopSessionRequest(session=session, grace_ms=5000)) for _ in range(2)]
    with pytest.raises(grpc.RpcError) as refused:
        # The service takes calls in order: it has both stops by now.
        client.sessions.Start(pb.StartSessionRequest(session=session))
    assert "capsem restart slow" in rpc.error_of(refused.value).remedy
    restarted = client.sessions.Restart(pb.RestartSessionRequest(session=session), timeout=rpc.CALL_LIMIT)
    assert restarted.state == pb.SESSION_STATE_CREATING
    for stop in stops:
        stop.result(rpc.CALL_LIMIT)
    assert capsem.exec(session, "true").code == 0
    capsem.ok("delete", session)


def test_a_bound_session_belongs_to_its_call(capsem, client):
    run = capsem.popen("run", "--", "sh", "-c", "echo up; sleep 1000")
    assert run.stdout.readline() == b"up\n"
    [bound] = [one for one in client.list() if one.kind == pb.SESSION_KIND_BOUND]
    for verb in ("restart", "persist", "rename"):
        with pytest.raises(grpc.RpcError) as refused:
            VERBS[verb](client, bound.id)
        assert "capsem create" in rpc.error_of(refused.value).remedy
    capsem.ok("stop", bound.id)
    run.communicate()
    assert run.returncode in (143, 125)  # its command was ended first, or its machine
    assert capsem.run("info", bound.id).code == 3


def test_purge_takes_what_does_not_stay_and_all_of_it_when_told(fresh_capsem):
    kept = fresh_capsem.create("-n", "kept")
    gone = fresh_capsem.create()
    assert fresh_capsem.ok("purge", "-y").text == f"{gone}\n"
    assert fresh_capsem.ok("list", "-q").text == f"{kept}\n"
    assert fresh_capsem.ok("purge", "-y").text == ""
    assert fresh_capsem.ok("purge", "--all", "-y", "--json").json == {
        "sessions": [kept], "ephemeral": 0, "persistent": 1, "bound": 0}
    assert fresh_capsem.ok("list", "-q").text == ""
    assert not os.listdir(f"{fresh_capsem.home}/sessions")
