"""check_walls.py: each wall stops what it must, and lets through what it may."""
import subprocess

import check_walls
import pytest

pytestmark = pytest.mark.recipes

CASES = [
    # file, include, allowed
    ("subprojects/capsem-base/base/loop.cpp", '"base/timer.h"', True),
    ("subprojects/capsem-base/base/loop.cpp", '"wire/frame.h"', False),
    ("capsem-proto/wire/mux.cpp", '"wire/limits.h"', True),
    ("capsem-proto/wire/mux.cpp", '"rpc/endpoint.h"', False),
    ("capsem-service/session/boot.cpp", '"supervise/process_host.h"', True),
    ("capsem-service/supervise/process_host.cpp", '"session/session.h"', False),
    ("capsem-service/supervise/process_host_test.cpp", '"session/session.h"', True),
    ("capsem-service/session/session.cpp", '"rpc/on_loop.h"', False),
    ("capsem-service/session/session.cpp", "<grpcpp/server.h>", False),
    ("capsem-service/session/session.cpp", '"capsem/v1/sessions.grpc.pb.h"', False),
    ("capsem-service/session/session.cpp", '"capsem/v1/sessions.pb.h"', True),
    ("capsem-service/api/sessions_rpc.cpp", '"rpc/on_loop.h"', True),
    ("capsem-service/session/session.cpp", '"app.h"', False),
    ("capsem-service/main.cpp", '"app.h"', True),
    ("capsem-service/define/domain_xml.cpp", "<libvirt/libvirt.h>", False),
    ("capsem-service/define/libvirt_compiler_main.cpp", "<libvirt/libvirt.h>", True),
    ("capsem-gateway/routes/forward.cpp", "<grpcpp/generic/generic_stub.h>", True),
    ("capsem-gateway/routes/door.cpp", '"rpc/endpoint.h"', False),
    ("capsem-gateway/http/http_server.cpp", '"routes/door.h"', False),
    ("capsem-gateway/auth/token.cpp", '"http/http_message.h"', False),
    ("capsem-gateway/http/http_message.cpp", "<llhttp/llhttp.h>", True),
    ("capsem-gateway/http/http_server.cpp", "<llhttp/llhttp.h>", False),
    ("capsem-process/machine/qmp_client.cpp", '"vsock/virtqueue.h"', False),
    ("capsem-process/machine/qmp_client.cpp", "<mutex>", False),
    ("guest-agent/exec/exec_job.cpp", '"base/fd_watch.h"', True),
    ("guest-agent/exec/exec_job.cpp", '"rpc/status_code.h"', False),
    ("tools/capsem/commands/exec.cpp", "<grpcpp/channel.h>", False),
    ("somewhere/else.cpp", '"base/loop.h"', False),
]


@pytest.mark.parametrize("path,include,allowed", CASES, ids=[f"{path} {include}" for path, include, _ in CASES])
def test_a_wall_holds(path, include, allowed):
    opening, target = include[0], include[1:-1]
    fault = check_walls.include_fault(path, opening, target)
    assert (fault is None) == allowed, fault


@pytest.mark.smoke
def test_a_sideways_include_fails_the_check_and_is_named(tmp_path):
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    room = tmp_path / "capsem-process/vsock"
    room.mkdir(parents=True)
    (room / "virtqueue.cpp").write_text('// "machine/a.h"\n#include "machine/machine.h"\n')
    done = subprocess.run([check_walls.__file__, tmp_path], text=True, capture_output=True)
    assert done.returncode == 1
    assert done.stdout.startswith("capsem-process/vsock/virtqueue.cpp:2: ")
    assert "machine/machine.h" in done.stdout


def test_an_include_in_a_comment_is_none(tmp_path):
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools/a.cpp").write_text('/*\n#include "machine/machine.h"\n*/\n')
    assert check_walls.faults(tmp_path) == []
