"""Every verb in every state that can be had from outside: done, or refused with what to do instead."""
import os

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
}

# (kind, state) → the verbs that are refused there, each with what its remedy names.
REFUSED = {
    ("ephemeral", "running"): {"restart": "capsem persist {}", "rename": "capsem persist {} NAME"},
    ("ephemeral", "failed"): {"start": "delete it", "stop": "capsem delete {}", "restart": "delete it",
                              "persist": "delete it", "rename": "delete it", "exec": "capsem logs {}"},
    ("persistent", "running"): {"persist": "capsem rename {} NAME"},
    ("persistent", "stopped"): {"stop": "capsem start {}", "persist": "capsem rename {} NAME", "exec": "capsem start {}"},
    ("persistent", "failed"): {"stop": "capsem start {}", "persist": "capsem rename {} NAME", "exec": "capsem start {}"},
}
# What leaves the session as it was, so that the next verb finds the state it wants.
HARMLESS = {"ephemeral": ("start", "exec"), "persistent": ("exec", "rename")}


def bring(capsem, kind, state):
    session = capsem.create(*(["-n", f"{kind}-{state}"] if kind == "persistent" else []))
    assert capsem.exec(session, "true").code == 0
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
    for verb, remedy in REFUSED[kind, state].items():
        with pytest.raises(grpc.RpcError) as refused:
            VERBS[verb](client, session)
        error = rpc.error_of(refused.value)
        assert refused.value.code() == grpc.StatusCode.FAILED_PRECONDITION, (verb, error)
        assert label in error.cause, error
        assert remedy.format(label) in error.remedy, (verb, error)
    assert capsem.info(session) == before
    for verb in HARMLESS[kind]:
        if verb not in REFUSED[kind, state]:
            VERBS[verb](client, session)
    assert capsem.info(session)["state"] == state
    capsem.ok("delete", session)


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
