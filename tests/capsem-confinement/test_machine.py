"""A real machine: both of its programs are confined, all threads, and it works."""
import os
import pathlib
import socket

import pytest

from support import confined, process_tree
from support.eventually import eventually

pytestmark = pytest.mark.confinement


def threads(pid):
    """The status of each thread, as a dict."""
    for thread in pathlib.Path(f"/proc/{pid}/task").iterdir():
        yield dict(line.split(":\t", 1) for line in (thread / "status").read_text().splitlines() if ":\t" in line)


def limit(pid, name):
    """(soft, hard) of one line of /proc/PID/limits."""
    [line] = [line for line in pathlib.Path(f"/proc/{pid}/limits").read_text().splitlines() if line.startswith(name)]
    return tuple(line.removeprefix(name).split()[:2])


@pytest.mark.smoke
def test_both_programs_have_their_filter_on_every_thread(capsem, box):
    capsem.exec(box, "true")
    info = capsem.info(box)
    # QEMU has one of its own (-sandbox) on top of ours.
    for pid, filters in ((info["process_pid"], "1"), (info["machine_pid"], "2")):
        found = list(threads(pid))
        assert len(found) > 1
        assert {(thread["Seccomp"], thread["Seccomp_filters"], thread["NoNewPrivs"]) for thread in found} == {("2", filters, "1")}


def test_limits(capsem, box):
    info = capsem.info(box)
    for pid in (info["process_pid"], info["machine_pid"]):
        assert limit(pid, "Max core file size") == ("0", "0")
    assert limit(info["machine_pid"], "Max open files") == ("1023", "1023")


def test_memory_is_taken_from_a_machine_before_the_service(capsem, box):
    info = capsem.info(box)

    def score(pid):
        return int(pathlib.Path(f"/proc/{pid}/oom_score_adj").read_text())
    assert score(info["machine_pid"]) == score(info["process_pid"]) > score(capsem.service_pid())


def test_status_and_info_say_what_holds_a_machine(capsem, box):
    status, info = capsem.ok("status", "--json").json, capsem.info(box)
    assert status["limits"] == info["limits"]
    assert info["limits"].startswith("rlimit, seccomp")
    abi = confined.landlock_abi()
    assert ("Landlock" in info["limits"]) == (abi > 0) == (not [text for text in status["problems"] if "Landlock" in text])
    log = pathlib.Path(capsem.session_folder(box), "process.log").read_text(encoding="utf-8")
    assert ("confined, but" in log) == (abi < 6)


def test_every_connection_to_the_process_is_still_accepted(capsem, box):
    path = f"{capsem.session_folder(box)}/process.sock"
    for _ in range(3):
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(path)
            assert client.recv(9)[3] == 4  # the SETTINGS frame of HTTP/2, with which gRPC begins
    assert capsem.exec(box, "echo", "still here").text == "still here\n"


def test_a_machine_that_is_killed_for_good_is_gone(capsem):
    session = capsem.create()
    capsem.exec(session, "true")
    machine = capsem.info(session)["machine_pid"]
    capsem.ok("stop", session)
    eventually("QEMU is gone", 10, lambda: process_tree.find(machine) is None or not os.path.exists(f"/proc/{machine}"))
