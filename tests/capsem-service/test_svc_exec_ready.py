"""Every endpoint that talks to a machine, called right after create: the server waits, never the client."""
import pytest

from support import rpc

pytestmark = pytest.mark.integration


@pytest.mark.smoke
def test_exec_right_after_create(client):
    session = client.sessions.Create(rpc.sessions_pb2.CreateSessionRequest())
    outcome = rpc.exec_argv(client, session.id, "echo", "at once")
    assert (outcome.exit.code, outcome.stdout) == (0, b"at once\n")
    client.sessions.Delete(rpc.sessions_pb2.DeleteSessionRequest(session=session.id))


def test_several_execs_right_after_create_all_run(client):
    session = client.sessions.Create(rpc.sessions_pb2.CreateSessionRequest())
    calls = [client.execs.Exec(iter([rpc.argv_input(session.id, "echo", str(number))])) for number in range(5)]
    assert [rpc.collect(call).stdout for call in calls] == [b"%d\n" % number for number in range(5)]
    client.sessions.Delete(rpc.sessions_pb2.DeleteSessionRequest(session=session.id))


def test_get_list_and_logs_right_after_create(client):
    session = client.sessions.Create(rpc.sessions_pb2.CreateSessionRequest())
    name = rpc.sessions_pb2.GetSessionRequest(session=session.id)
    assert client.sessions.Get(name).id == session.id
    listed = client.sessions.List(rpc.sessions_pb2.ListSessionsRequest()).sessions
    assert session.id in [one.id for one in listed]
    for source in (rpc.system_pb2.LOG_SOURCE_PROCESS, rpc.system_pb2.LOG_SOURCE_SERIAL):
        list(client.system.Logs(rpc.system_pb2.LogsRequest(session=session.id, source=source)))
    client.sessions.Delete(rpc.sessions_pb2.DeleteSessionRequest(session=session.id))


def test_stop_right_after_create(client):
    session = client.sessions.Create(rpc.sessions_pb2.CreateSessionRequest())
    client.sessions.Stop(rpc.sessions_pb2.StopSessionRequest(session=session.id))
    listed = client.sessions.List(rpc.sessions_pb2.ListSessionsRequest()).sessions
    assert session.id not in [one.id for one in listed]  # ephemeral sessions vanish at stop


def test_delete_right_after_create_ends_a_waiting_exec(client):
    session = client.sessions.Create(rpc.sessions_pb2.CreateSessionRequest())
    call = client.execs.Exec(iter([rpc.argv_input(session.id, "sleep", "1000")]))
    client.sessions.Delete(rpc.sessions_pb2.DeleteSessionRequest(session=session.id))
    with pytest.raises(Exception) as failed:
        list(call)
    # Which of the two the server heard first is the network's choice: it waited, or it came too late.
    assert failed.value.code().name in ("UNAVAILABLE", "FAILED_PRECONDITION", "NOT_FOUND")


def test_signal_right_after_the_exec_was_told(client):
    session = client.sessions.Create(rpc.sessions_pb2.CreateSessionRequest())
    call = client.execs.Exec(iter([rpc.argv_input(session.id, "sleep", "1000")]))
    started = next(call).started
    client.execs.Signal(rpc.execs_pb2.SignalRequest(session=session.id, exec=started.exec, signal=15))
    exit_event = list(call)[-1].exit
    assert (exit_event.code, exit_event.signal) == (143, 15)
    client.sessions.Delete(rpc.sessions_pb2.DeleteSessionRequest(session=session.id))
