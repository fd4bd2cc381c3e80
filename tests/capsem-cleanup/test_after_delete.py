"""After delete, stop and run nothing stays: no process, socket, folder, mount, temporary file."""
import glob
import os

import pytest

from support import capsem_home, gateway, process_tree

pytestmark = pytest.mark.cleanup


def mounts():
    with open("/proc/self/mounts", encoding="utf-8") as table:
        return {line for line in table if "cs-" in line or "capsem" in line}


def temporary_files():
    """Of the product; /tmp/capsem-test-* are scratch folders of unit tests that may run beside."""
    return {path for path in glob.glob("/tmp/capsem*") if not path.startswith("/tmp/capsem-test-")}


@pytest.mark.smoke
def test_after_delete_nothing_of_a_session_is_left(capsem):
    capsem.service_pid()
    gateway.of(capsem)  # comes a moment after the service, with files of its own
    before, mounted, temporary = set(capsem.files()), mounts(), temporary_files()
    session = capsem.create()
    assert capsem.exec(session, "true").code == 0
    # A command that still runs, and one with a file of what it has printed.
    capsem.ok("exec", "-d", session, "--", "sleep 1000")
    printed = capsem.ok("exec", "-d", session, "--", "head -c 4000000 /dev/zero").text.strip()
    assert len(capsem.ok("attach", session, printed).out) == 4000000
    info = capsem.info(session)
    service = capsem.service_pid()
    capsem.ok("delete", session)
    assert not capsem_home.alive(info["process_pid"])
    assert not capsem_home.alive(info["machine_pid"])
    assert not os.path.exists(capsem.session_folder(session))
    assert [child.name for child in process_tree.children_of(service)] == ["capsem-gateway"]
    assert mounts() == mounted
    assert temporary_files() <= temporary
    assert {path for path in capsem.files() if not path.startswith("cache/")} <= before


def test_descriptors_of_the_service_come_back(capsem):
    def count():
        return len(process_tree.find(capsem.service_pid()).open_files)

    for _ in range(2):  # what is opened once and kept is open by then
        capsem.ok("run", "--", "true")
    settled = count()
    capsem.ok("run", "--", "true")
    assert count() <= settled


def test_service_stop_ends_everything(fresh_capsem):
    for _ in range(2):
        fresh_capsem.create()
    fresh_capsem.ok("service", "stop")
    assert fresh_capsem.processes() == []
    assert not os.path.exists(fresh_capsem.socket)


def test_a_delete_that_fails_is_told_and_can_be_said_again(fresh_capsem):
    home = fresh_capsem
    session = home.create("-n", "box")
    assert home.exec("box", "true").code == 0
    folder = f"{home.home}/sessions"
    os.rename(folder, f"{folder}.away")
    os.symlink(folder, folder)  # leads to itself: not even root removes anything behind it
    try:
        code, cause, remedy = home.cli.error("delete", "box")
    finally:
        os.unlink(folder)
        os.rename(f"{folder}.away", folder)
    assert code != 0 and "session box could not be deleted" in cause and session in cause
    assert "delete the session again" in remedy
    left = home.info("box")
    assert left["state"] == "failed" and "could not be deleted" in left["reason"]
    assert home.ok("delete", "box").text == "box\n"
    assert home.ok("list", "-q").text == ""
    assert os.listdir(folder) == []
