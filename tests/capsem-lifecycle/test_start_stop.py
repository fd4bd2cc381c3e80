"""A session that stays: stopped, started, restarted, with all that it holds."""
import os

import pytest

from support import capsem_home
from support.eventually import eventually

pytestmark = pytest.mark.lifecycle


@pytest.mark.smoke
def test_what_was_written_is_there_after_a_stop_and_a_start(capsem):
    capsem.create("-n", "box", "-e", "COLOR=blue", "--memory", "300")
    assert capsem.exec("box", "sh", "-c", "echo kept > /root/file; echo lost > /tmp/file").code == 0
    before = capsem.info("box")
    capsem.ok("stop", "box")
    stopped = capsem.info("box")
    assert (stopped["state"], stopped["process_pid"], stopped["machine_pid"]) == ("stopped", 0, 0)
    assert not capsem_home.alive(before["machine_pid"])
    assert capsem.ok("start", "box").text == "box\n"
    # At once, without a wait of ours.
    assert capsem.exec("box", "cat", "/root/file").text == "kept\n"
    assert capsem.exec("box", "sh", "-c", "echo $COLOR; ls /tmp").text == "blue\n"
    after = capsem.info("box")
    assert after["state"] == "running"
    for field in ("id", "cpus", "memory_mib", "image", "image_digest", "created_unix_ms", "isolation"):
        assert after[field] == before[field], field
    capsem.ok("delete", "box")


def test_restart_is_a_stop_and_a_start(capsem):
    capsem.create("-n", "again")
    first = capsem.exec("again", "cat", "/proc/sys/kernel/random/boot_id").text
    capsem.exec("again", "sh", "-c", "echo kept > /root/file")
    pid = capsem.info("again")["machine_pid"]
    assert capsem.ok("restart", "again").text == "again\n"
    assert capsem.exec("again", "cat", "/root/file").text == "kept\n"
    assert capsem.exec("again", "cat", "/proc/sys/kernel/random/boot_id").text != first
    assert not capsem_home.alive(pid)
    capsem.ok("delete", "again")


def test_the_guest_knows_who_it_is(capsem):
    named = capsem.create("-n", "Who-am_I")
    words = "hostname; cat /etc/hostname; echo $CAPSEM_VM_ID; echo $CAPSEM_VM_NAME"
    assert capsem.exec(named, "sh", "-c", words).text.split() == ["Who-am_I", "Who-am_I", named, "Who-am_I"]
    nameless = capsem.create()
    assert capsem.exec(nameless, "sh", "-c", words).text.split() == [nameless] * 4
    capsem.ok("rename", named, "somebody")
    capsem.ok("restart", named)
    assert capsem.exec(named, "sh", "-c", words).text.split() == ["somebody", "somebody", named, "somebody"]
    capsem.ok("delete", named, nameless)


def test_a_session_without_a_name_is_gone_when_it_stops_unless_it_was_persisted(capsem):
    gone, kept = capsem.create(), capsem.create()
    assert capsem.ok("persist", kept).text == f"{kept}\n"
    assert capsem.exec(kept, "sh", "-c", "echo kept > /root/file").code == 0
    capsem.ok("stop", gone, kept)
    assert capsem.run("info", gone).code == 3
    assert not os.path.exists(capsem.session_folder(gone))
    assert capsem.info(kept)["state"] == "stopped"
    capsem.ok("start", kept)
    assert capsem.exec(kept, "cat", "/root/file").text == "kept\n"
    capsem.ok("delete", kept)


def test_a_guest_that_powers_itself_off_leaves_its_session_stopped(capsem):
    capsem.create("-n", "off")
    capsem.exec("off", "sh", "-c", "echo kept > /root/file; sync; echo o > /proc/sysrq-trigger; sleep 100")
    stopped = eventually("it is stopped", 10, lambda: capsem.info("off")["state"] == "stopped" and capsem.info("off"))
    assert "powered itself off" in stopped["reason"]
    capsem.ok("start", "off")
    assert capsem.exec("off", "cat", "/root/file").text == "kept\n"
    assert capsem.info("off")["reason"] == ""
    capsem.ok("delete", "off")


def test_a_machine_that_was_killed_has_failed_and_starts_again(capsem):
    capsem.create("-n", "hit")
    assert capsem.exec("hit", "sh", "-c", "echo kept > /root/file; sync").code == 0
    os.kill(capsem.info("hit")["machine_pid"], 9)
    eventually("it has failed", 5, lambda: capsem.info("hit")["state"] == "failed")
    capsem.ok("start", "hit")
    assert capsem.exec("hit", "cat", "/root/file").text == "kept\n"
    capsem.ok("delete", "hit")


def test_a_disk_is_as_large_as_was_asked_for_and_stays_so(capsem):
    session = capsem.create("--disk", "2", "-n", "roomy")
    size = ("sh", "-c", "cat /sys/block/vd*/size | sort -n | tail -1")
    assert capsem.info(session)["disk_gib"] == 2
    assert int(capsem.exec(session, *size).text) * 512 == 2 << 30
    capsem.ok("restart", session)
    assert int(capsem.exec(session, *size).text) * 512 == 2 << 30
    assert "2 GiB" in capsem.ok("info", session).text
    capsem.ok("delete", session)
