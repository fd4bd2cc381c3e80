"""The registry as an operator sees it, and what comes back from it."""
import contextlib
import os
import sqlite3
import stat
import subprocess

import pytest

from support.eventually import eventually

pytestmark = pytest.mark.session


def registry(home):
    return f"{home.home}/registry.db"


def rows(home, sql="SELECT id, name, kind, state, used FROM sessions"):
    with sqlite3.connect(f"file:{registry(home)}?mode=ro", uri=True) as db:
        return db.execute(sql).fetchall()


@pytest.mark.smoke
def test_a_session_is_recorded_when_create_has_answered(capsem):
    session = capsem.create("-n", "box", "-e", "COLOR=blue")
    [row] = rows(capsem)
    assert row[:3] == (session, "box", "persistent")
    assert rows(capsem, "SELECT key, value FROM session_env") == [("COLOR", "blue")]
    capsem.ok("rename", "box", "crate")
    assert rows(capsem)[0][1] == "crate"
    assert capsem.exec("crate", "true").code == 0
    capsem.ok("stop", "crate")
    assert rows(capsem)[0] == (session, "crate", "persistent", "stopped", 1)
    capsem.ok("delete", "crate")
    assert rows(capsem) == []


def test_the_registry_is_for_its_owner_only_and_keeps_a_log(capsem):
    capsem.service_pid()
    for part in ("", "-wal", "-shm"):
        assert stat.S_IMODE(os.stat(registry(capsem) + part).st_mode) == 0o600
    assert rows(capsem, "PRAGMA journal_mode") == [("wal",)]
    said = subprocess.run(["sqlite3", registry(capsem), "PRAGMA integrity_check"], capture_output=True, check=True)
    assert said.stdout == b"ok\n"


def test_who_looks_into_the_registry_takes_nothing_from_it(fresh_capsem):
    home = fresh_capsem
    home.create("-n", "box", "--memory", "256")
    home.ok("stop", "box")
    subprocess.run(["sqlite3", registry(home), "SELECT * FROM sessions"], capture_output=True, check=True)
    home.ok("rename", "box", "crate")
    assert rows(home)[0][1] == "crate"
    home.kill()
    home.start()
    assert [one["name"] for one in home.ok("list", "--json").json] == ["crate"]


def test_after_the_death_of_everything_what_stays_is_there_with_its_disk_and_the_rest_is_gone(fresh_capsem):
    home = fresh_capsem
    stays = home.create("-n", "stays", "-e", "COLOR=blue", "--memory", "300")
    mortal, new = home.create(), home.create("-n", "new")  # of `new` nobody waits until its guest is up
    assert home.exec(stays, "sh", "-c", "echo kept > /root/file; sync").code == 0
    os.mkdir(home.session_folder("aaaaaaaaaaaa"), 0o700)  # half made
    home.kill()
    for process in home.processes():
        with contextlib.suppress(ProcessLookupError):  # it ended with one that we have killed
            os.kill(process.pid, 9)
    home.start()
    found = {one["id"]: one for one in home.ok("list", "--json").json}
    assert set(found) == {stays, new}
    assert found[stays]["state"] == "failed" and "killed while no service ran" in found[stays]["reason"]
    assert found[new]["state"] in ("stopped", "failed") and found[new]["reason"]
    assert found[stays]["memory_mib"] == 300
    assert sorted(os.listdir(f"{home.home}/sessions")) == sorted([stays, new])
    log = home.ok("logs").text
    assert log.count(mortal) >= 1 and "aaaaaaaaaaaa" in log
    home.ok("start", "stays", "new")
    assert home.exec("stays", "sh", "-c", "cat /root/file; echo $COLOR").text == "kept\nblue\n"
    assert home.exec("new", "true").code == 0


def test_a_clean_end_of_the_service_stops_what_stays(fresh_capsem):
    home = fresh_capsem
    home.create("-n", "stays")
    assert home.exec("stays", "sh", "-c", "echo kept > /root/file").code == 0  # no sync: the stop does it
    mortal = home.create()
    home.ok("service", "stop")
    assert home.processes() == []
    assert [row[1:4] for row in rows(home)] == [("stays", "persistent", "stopped")]
    assert home.run("info", mortal).code == 3  # which starts the service
    home.ok("start", "stays")
    assert home.exec("stays", "cat", "/root/file").text == "kept\n"


def test_a_session_whose_disk_is_gone_says_so_and_gets_no_empty_one(fresh_capsem):
    home = fresh_capsem
    session = home.create("-n", "box")
    assert home.exec("box", "true").code == 0
    home.ok("stop", "box")
    os.unlink(f"{home.session_folder(session)}/disk.img")
    home.run("start", "box")
    failed = eventually("it has failed", 10, lambda: home.info("box")["state"] == "failed" and home.info("box"))
    assert "disk" in failed["reason"]
    assert not os.path.exists(f"{home.session_folder(session)}/disk.img")
    home.kill()
    home.start()
    assert home.info("box")["state"] == "failed"
    home.ok("delete", "box")
    assert rows(home) == []


def test_a_damaged_registry_is_set_aside_and_the_disks_are_kept(fresh_capsem):
    home = fresh_capsem
    session = home.create("-n", "box")
    assert home.exec("box", "true").code == 0
    home.ok("service", "stop")
    with open(registry(home), "r+b") as file:
        file.write(os.urandom(4096))
    home.service_pid()  # starts it
    aside = [name for name in os.listdir(home.home) if name.startswith("registry.db.damaged-")]
    assert aside, os.listdir(home.home)
    assert "set aside" in home.ok("logs").text
    kept = [f"{home.home}/{name}" for name in aside if name[-1].isdigit()]
    [problem] = home.ok("status", "--json").json["problems"]
    assert "the registry of sessions was damaged" in problem and kept[0] in problem and "capsem start" in problem
    assert f"problem: {problem}" in home.ok("status").text
    found = home.info(session)
    assert found["state"] == "failed" and "registry" in found["reason"]
    assert os.path.exists(f"{home.session_folder(session)}/disk.img")
    home.ok("delete", session)
    assert not os.path.exists(home.session_folder(session))
    os.unlink(kept[0])
    assert home.ok("status", "--json").json["problems"] == []


def test_a_registry_of_a_newer_capsem_is_left_alone_with_a_word(home):
    home.cli.text("list")
    home.cli.text("service", "stop")
    with sqlite3.connect(registry(home)) as db:
        db.execute("PRAGMA user_version = 99")
    done = home.cli.run("service", "run")
    assert done.returncode != 0
    assert b"format 99" in done.stderr
    with sqlite3.connect(registry(home)) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (99,)
