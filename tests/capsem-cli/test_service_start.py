"""The service starts when it is needed, once, in the background, and stops when it is told."""
import json
import os
import signal
import stat
import subprocess
import threading

import pytest
from support import process_tree
from support.eventually import eventually

pytestmark = pytest.mark.cli


def service_pids(home):
    return sorted(process.pid for process in home.processes() if process.name == "capsem-service")


@pytest.mark.smoke
def test_status_starts_it_and_tells_its_pid(home):
    assert service_pids(home) == []
    pid = home.cli.json("status")["pid"]
    assert service_pids(home) == [pid]
    assert home.cli.json("status")["pid"] == pid


def test_it_is_a_daemon_with_nothing_of_the_callers(home):
    with open("/etc/hostname") as somebody_elses:
        os.set_inheritable(somebody_elses.fileno(), True)
        home.cli.run("status", env={"A_SECRET": "hush", "LD_LIBRARY_PATH": "/nowhere"})
    [pid] = service_pids(home)
    service = process_tree.find(pid)
    assert b"A_SECRET" not in service.environment
    assert b"LD_LIBRARY_PATH" not in service.environment
    assert service.folder == "/"
    assert os.getsid(pid) == pid
    assert service.open_files[0] == "/dev/null"
    assert "/etc/hostname" not in service.open_files.values()


def test_a_relative_home_is_the_same_for_the_service_that_works_elsewhere(home):
    parent, name = os.path.split(home.cli.environment["CAPSEM_HOME"])
    told = subprocess.run(home.cli.command("status", "--json"), cwd=parent, capture_output=True, check=True,
                          env={**home.cli.environment, "CAPSEM_HOME": name})
    assert json.loads(told.stdout)["pid"] == home.cli.json("status")["pid"]


def test_many_at_once_converge_to_one(home):
    pids, lock = [], threading.Lock()

    def ask():
        pid = home.cli.json("status")["pid"]
        with lock:
            pids.append(pid)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(pids) == 8
    assert len(set(pids)) == 1
    assert service_pids(home) == [pids[0]]


def test_service_stop_returns_when_it_is_gone_and_may_be_said_twice(home):
    home.cli.text("status")
    [pid] = service_pids(home)
    assert home.cli.text("service", "stop") == ""
    assert not process_tree.find(pid) or not process_tree.find(pid).is_alive()
    assert not os.path.exists(home.socket)
    assert home.cli.text("service", "stop") == "capsem-service is not running\n"


def test_stop_all_and_version_do_not_start_it(home):
    assert home.cli.text("stop", "--all") == ""
    assert home.cli.json("version")["service"] is None
    assert service_pids(home) == []


def test_after_a_crash_the_next_call_starts_a_new_one(home):
    first = home.cli.json("status")["pid"]
    os.kill(first, signal.SIGKILL)
    eventually("the killed service is gone", 10, lambda: first not in service_pids(home))
    second = home.cli.json("status")["pid"]
    assert second != first


def test_a_second_one_in_the_foreground_says_so_and_leaves_with_0(home):
    home.cli.text("status")
    done = home.cli.run("service", "run")
    assert done.returncode == 0
    assert b"already" in done.stdout + done.stderr


def test_version_tells_both(home):
    version = home.cli.json("version")["version"]
    home.cli.text("status")
    told = home.cli.json("version")
    assert told["service"]["version"] == told["version"] == version
    assert version in home.cli.text("--version")


def test_sockets_and_logs_are_for_their_owner_only(home):
    home.cli.text("status")
    assert stat.S_IMODE(os.stat(home.socket).st_mode) == 0o600
    assert stat.S_IMODE(os.stat(f"{home.home}/run").st_mode) == 0o700
    assert stat.S_IMODE(os.stat(f"{home.home}/service.log").st_mode) == 0o600


@pytest.mark.parametrize("words,code", [(["info", "nobody"], 3), (["delete", "nobody"], 3), (["stop", "nobody"], 3),
                                        (["start", "nobody"], 3), (["restart", "nobody"], 3),
                                        (["persist", "nobody", "box"], 3), (["rename", "nobody", "box"], 3),
                                        (["exec", "nobody", "ls"], 125), (["logs", "nobody"], 3),
                                        (["info", "../x"], 2), (["image", "inspect", "nothing"], 3)])
def test_what_is_not_there_is_named(service, words, code):
    got, cause, remedy = service.cli.error(*words)
    assert got == code
    assert words[-1] in cause or words[1] in cause
    assert remedy


def test_an_empty_list_is_a_table_of_heads_and_an_empty_json_list(service):
    assert service.cli.text("list").split() == ["ID", "NAME", "STATE", "CPUS", "MEMORY", "ISOLATION", "IMAGE", "AGE"]
    assert service.cli.json("list") == []
    assert service.cli.text("list", "-q") == ""
    assert json.loads(service.cli.text("ls", "--json")) == []
