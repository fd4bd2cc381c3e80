"""The contract by itself: reflection, health, and all of it driven by a client written from the protos alone."""
import subprocess
import threading

import grpc
import pytest

from support import paths, rpc

pytestmark = pytest.mark.integration


def reflect(client, names):
    """Asks gRPC's reflection service by hand-made messages: list_services is field 7, answered in field 6."""
    call = client.channel.stream_stream("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
                                        request_serializer=lambda data: data, response_deserializer=lambda data: data)
    answer = next(call(iter([b"\x3a\x00"])))
    return {name: name.encode() in answer for name in names}


def test_reflection_lists_the_services(client):
    names = ["capsem.v1.Sessions", "capsem.v1.Execs", "capsem.v1.Images", "capsem.v1.System", "grpc.health.v1.Health"]
    assert reflect(client, names) == {name: True for name in names}


def test_health_is_served(client):
    check = client.channel.unary_unary("/grpc.health.v1.Health/Check", request_serializer=lambda data: data,
                                       response_deserializer=lambda data: data)
    assert check(b"") == b"\x08\x01"  # status: SERVING


def test_a_whole_life_through_the_api(client):
    events = client.sessions.Watch(rpc.sessions_pb2.WatchSessionsRequest())
    kinds = rpc.sessions_pb2.SessionEvent
    while next(events).kind != kinds.KIND_SYNCED:
        pass
    made = client.sessions.Create(rpc.sessions_pb2.CreateSessionRequest(name="life", cpus=1, memory_mib=300))
    assert (made.name, made.cpus, made.memory_mib, made.persistent) == ("life", 1, 300, True)
    assert made.isolation in (rpc.common_pb2.ISOLATION_HARDWARE, rpc.common_pb2.ISOLATION_EMULATED)
    assert rpc.exec_argv(client, "life", "nproc").stdout == b"1\n"
    assert client.sessions.Get(rpc.sessions_pb2.GetSessionRequest(session="life")).id == made.id
    client.sessions.Stop(rpc.sessions_pb2.StopSessionRequest(session="life"))
    stopped = client.sessions.Get(rpc.sessions_pb2.GetSessionRequest(session=made.id))
    assert stopped.state == rpc.sessions_pb2.SESSION_STATE_STOPPED
    with pytest.raises(grpc.RpcError) as refused:
        rpc.exec_argv(client, "life", "true")
    assert refused.value.code() == grpc.StatusCode.FAILED_PRECONDITION
    client.sessions.Delete(rpc.sessions_pb2.DeleteSessionRequest(session="life"))
    seen = []
    for event in events:
        if event.session.id == made.id:
            seen.append((event.kind, event.session.state))
        if event.kind == kinds.KIND_DELETED and event.session.id == made.id:
            break
    events.cancel()
    states = [state for kind, state in seen if kind == kinds.KIND_CHANGED]
    assert states[0] == rpc.sessions_pb2.SESSION_STATE_CREATING
    assert rpc.sessions_pb2.SESSION_STATE_RUNNING in states
    assert rpc.sessions_pb2.SESSION_STATE_STOPPED in states


def test_run_is_one_call(client):
    run = rpc.execs_pb2.RunStart(exec=rpc.execs_pb2.ExecStart(argv=["sh", "-c", "echo out; echo err >&2; exit 3"]))
    outcome = rpc.collect(client.execs.Run(iter([rpc.execs_pb2.ExecInput(run=run)])))
    assert (outcome.stdout, outcome.stderr, outcome.exit.code) == (b"out\n", b"err\n", 3)
    listed = client.sessions.List(rpc.sessions_pb2.ListSessionsRequest()).sessions
    assert outcome.session not in [one.id for one in listed]


def test_exec_detached_answers_started_and_ends(client, box):
    events = list(client.execs.Exec(iter([rpc.argv_input(box, "sleep", "321", detach=True,
                                                    on_disconnect=rpc.execs_pb2.ON_DISCONNECT_KEEP)])))
    assert [event.WhichOneof("kind") for event in events] == ["started"]
    client.execs.Signal(rpc.execs_pb2.SignalRequest(session=box, exec=events[0].started.exec, signal=9))


def test_on_disconnect_keep_lets_the_command_live(client, box):
    call = client.execs.Exec(iter([rpc.argv_input(box, "sh", "-c", "echo up; exec sleep 322",
                                             on_disconnect=rpc.execs_pb2.ON_DISCONNECT_KEEP)]))
    while not next(call).stdout:
        pass
    call.cancel()
    assert rpc.exec_argv(client, box, "pgrep", "-f", "sleep 322").exit.code == 0


def test_images(client):
    images = client.images.List(rpc.images_pb2.ListImagesRequest()).images
    base = next(image for image in images if image.name == "base")
    assert base.error == ""
    whole = client.images.Inspect(rpc.images_pb2.InspectImageRequest(image="base"))
    assert {file.name for file in whole.files} >= {"vmlinuz", "initramfs.cpio", "rootfs.erofs"}
    assert "python3" in {package.name for package in whole.packages}
    assert sum(file.size for file in whole.files) == whole.size == base.size


def test_status_and_version_tell_the_truth(capsem, client):
    status = client.system.Status(rpc.system_pb2.StatusRequest())
    assert status.pid == capsem.service_pid()
    assert status.accelerator in ("kvm", "tcg")
    assert (status.kvm == "usable") == (status.accelerator == "kvm")
    assert (status.isolation == rpc.common_pb2.ISOLATION_HARDWARE) == (status.accelerator == "kvm")
    assert client.system.Version(rpc.system_pb2.VersionRequest()).version in capsem.ok("version").text


def test_isolation_is_shown_everywhere(capsem, client, box):
    word = {rpc.common_pb2.ISOLATION_HARDWARE: "hardware", rpc.common_pb2.ISOLATION_EMULATED: "emulated"}[
        client.system.Status(rpc.system_pb2.StatusRequest()).isolation]
    for verb in (["info", box], ["list"], ["status"], ["info", box, "--json"], ["list", "--json"], ["status", "--json"]):
        assert word in capsem.ok(*verb).text, verb


def test_many_clients_at_once(capsem):
    errors = []

    def one():
        mine = rpc.Api(capsem.socket)
        try:
            for _ in range(20):
                mine.sessions.List(rpc.sessions_pb2.ListSessionsRequest())
        except grpc.RpcError as error:
            errors.append(error)
        finally:
            mine.close()

    capsem.service_pid()
    threads = [threading.Thread(target=one) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors


def test_a_second_service_says_so_and_leaves(capsem):
    pid = capsem.service_pid()
    second = subprocess.run([paths.BIN / "capsem-service", "--foreground"], env=capsem.cli.environment, capture_output=True, check=False)
    assert second.returncode == 0
    assert capsem.socket in second.stderr.decode()
    assert capsem.service_pid() == pid
