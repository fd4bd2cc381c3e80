"""Companions live and die with their service, one of each, and are never found alone. Extend it with each new one."""
import os
import select
import signal
import socket
import stat
import subprocess
import tempfile

import pytest
from support import cli, gateway, paths, process_tree
from support.eventually import eventually
from support.service import Service

pytestmark = pytest.mark.integration

COMPANIONS = ["capsem-gateway"]
# Seconds from the death of the service to that of its companions: whoever restarts at once finds the port free.
GONE_LIMIT = 0.3


def companion_pids(home):
    return [process.pid for process in home.processes() if process.name in COMPANIONS]


@pytest.fixture
def run_dir():
    with tempfile.TemporaryDirectory(prefix="cs", dir="/tmp") as folder:
        yield folder


def start(name, run_dir, *args, **options):
    return subprocess.Popen([paths.BIN / name, "--run-dir", run_dir, *args], stdin=subprocess.DEVNULL,
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=cli.environment(run_dir), **options)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.mark.parametrize("name", COMPANIONS)
@pytest.mark.parametrize("claim", [[], ["--parent-pid", "0"], ["--parent-pid", "1"], ["--parent-pid", "junk"],
                                   ["--parent-pid", "-5"], ["--parent-pid", "4194303"], "a living stranger"])
def test_it_refuses_to_stand_alone_and_touches_nothing(name, claim, run_dir):
    args = ["--parent-pid", str(os.getppid())] if claim == "a living stranger" else claim
    assert start(name, run_dir, *args).wait(30) == 0
    assert os.listdir(run_dir) == []


@pytest.mark.parametrize("name", COMPANIONS)
def test_of_twenty_one_stays(name, run_dir):
    started = [start(name, run_dir, "--parent-pid", str(os.getpid())) for _ in range(20)]
    try:
        eventually("nineteen have left", 60, lambda: sum(child.poll() is not None for child in started) == 19)
        [left] = [child for child in started if child.poll() is None]
        assert [child.returncode for child in started if child is not left] == [0] * 19
        port = f"{run_dir}/gateway.port"
        eventually("the one serves", 30, lambda: os.path.exists(port))
        with open(port, encoding="ascii") as file:
            assert gateway.Gateway(int(file.read()), "").ask("GET", "/health").status == 200
        with open(f"{run_dir}/gateway.lock", encoding="ascii") as file:
            assert file.read() == f"{left.pid}\n"
    finally:
        for child in started:
            child.kill()
            child.wait()


@pytest.mark.smoke
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGABRT])
def test_the_death_of_the_service_takes_them_along(home, how):
    home.start()
    gateway.of(home)
    pids = companion_pids(home)
    assert len(pids) == len(COMPANIONS)
    for pid in pids:
        assert process_tree.find(pid).parent == home.pid
    watched = [os.pidfd_open(pid) for pid in pids]
    home.process.send_signal(how)
    home.process.wait()
    for watch in watched:
        assert select.select([watch], [], [], GONE_LIMIT)[0], "a companion outlives its service"
        os.close(watch)
    home.start()
    gateway.of(home)
    assert companion_pids(home) not in ([], pids)


def test_a_stopped_service_leaves_no_companion_and_no_file_of_theirs(home):
    home.start()
    gateway.of(home)
    home.cli.text("service", "stop")
    assert companion_pids(home) == []
    assert [name for name in os.listdir(f"{home.home}/run") if name.startswith("gateway.")] == ["gateway.lock"]


def test_one_that_is_killed_comes_back(home):
    home.start()
    first = gateway.of(home)
    [pid] = companion_pids(home)
    os.kill(pid, signal.SIGKILL)
    eventually("another one is at work", 30, lambda: companion_pids(home) not in ([], [pid]))
    second = eventually("it says where", 30, lambda: fresh_gateway(home, first))
    assert second.ask("GET", "/list").status == 200
    assert home.cli.json("status")["gateway"] == f"http://127.0.0.1:{second.port}"
    assert second.ask("GET", "/list", token=first.token).status == 401


def fresh_gateway(home, old):
    try:
        found = gateway.of(home)
    except OSError:  # between the two files
        return None
    return found if found.token != old.token else None


def test_six_restarts_on_one_port():
    port = free_port()
    with Service(start=False, CAPSEM_GATEWAY=str(port)) as home:
        tokens = set()
        for turn in range(6):
            home.start()
            http = gateway.of(home)
            assert http.port == port
            assert http.ask("GET", "/health").status == 200
            # A connection that is open when the service goes: the port's next owner has to live with its remains.
            held = http.connect()
            tokens.add(http.token)
            if turn % 2 == 0:
                home.kill()
            else:
                home.cli.text("service", "stop")
                home.process.wait()
            held.close()
        assert len(tokens) == 6
        home.start()


def test_a_port_that_is_taken_is_told_and_taken_when_it_is_free():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with Service(CAPSEM_GATEWAY=str(port)) as home:
            eventually("status says why", 30, lambda: "gateway.log" in home.cli.json("status")["gateway"])
            with open(f"{home.home}/gateway.log", encoding="utf-8") as log:
                assert f"port {port}" in log.read()
            taken.close()
            assert gateway.of(home).ask("GET", "/health").status == 200


@pytest.mark.parametrize("serves", [True, False])
def test_a_log_that_has_grown_for_months_is_turned(serves):
    """Also the one of a gateway that comes no further than to say why it cannot serve."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        variables = {} if serves else {"CAPSEM_GATEWAY": str(taken.getsockname()[1])}
        with Service(start=False, **variables) as home:
            log = f"{home.home}/gateway.log"
            with open(log, "wb") as file:
                file.write(b"old\n" * (1 << 18))
            home.start()
            eventually("the log is turned", 30, lambda: os.path.exists(f"{log}.1") and os.path.exists(log))
            assert os.path.getsize(f"{log}.1") >= 1 << 20
            assert os.path.getsize(log) < 1 << 16
            assert stat.S_IMODE(os.stat(log).st_mode) == 0o600


def test_there_is_none_where_none_is_wanted():
    with Service(CAPSEM_GATEWAY="off") as home:
        assert home.cli.json("status")["gateway"] == "off"
        assert companion_pids(home) == []
