"""A service may end in any way: its machines go on, and the next service has them as they were."""
import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import threading

import grpc
import pytest

from support import capsem_home, paths, process_tree, rpc
from support.eventually import eventually

pytestmark = pytest.mark.integration

# What an answer about a session says that nothing but its user changes.
LASTING = ("id", "name", "state", "process_pid", "machine_pid", "cpus", "memory_mib", "created_unix_ms", "image_digest", "kind")


def machine(home, *options):
    """A session whose guest has a process of ours: (id, what must not change)."""
    session = home.create("--memory", "256", *options)
    said = home.exec(session, "sh", "-c", "sleep 1000 >/dev/null 2>&1 & echo $!")
    assert said.code == 0, said
    return session, (lasting(home, session), said.text.strip(), guest(home, session, said.text.strip()))


def lasting(home, session):
    info = home.info(session)
    return {key: info[key] for key in LASTING}


def guest(home, session, pid):
    """Which boot of the guest it is, and when that process in it began."""
    said = home.exec(session, "sh", "-c", f"cat /proc/sys/kernel/random/boot_id; cut -d' ' -f22 /proc/{pid}/stat")
    assert said.code == 0, said
    return said.text


def unchanged(home, session, before):
    was, pid, inside = before
    assert lasting(home, session) == was
    assert guest(home, session, pid) == inside


def row(home, session, *columns):
    with contextlib.closing(sqlite3.connect(f"file:{home.home}/registry.db?mode=ro", uri=True)) as db:
        return db.execute(f"SELECT {', '.join(columns)} FROM sessions WHERE id = ?", [session]).fetchone()


def forge(home, session, **columns):
    names = ", ".join(f"{name} = ?" for name in columns)
    with contextlib.closing(sqlite3.connect(f"{home.home}/registry.db")) as db, db:
        db.execute(f"UPDATE sessions SET {names} WHERE id = ?", [*columns.values(), session])


def recorded_as_running(home, session):
    eventually("its row says so", 10, lambda: row(home, session, "state") == ("running",))


def crash_with_machines(home, how, count):
    machines = [machine(home, *(["-n", f"box{n}"] if n % 2 else [])) for n in range(count)]
    for session, _ in machines:
        recorded_as_running(home, session)
    home.kill(how)
    assert not os.path.exists(home.socket) or how == signal.SIGKILL
    home.start()
    for session, before in machines:
        unchanged(home, session, before)
    return machines


def adoption_work(home, count):
    """Milliseconds from the service's look at its registry until the last machine was held."""
    with open(f"{home.home}/service.log", encoding="utf-8") as log:
        lines = [json.loads(line) for line in log if line.startswith("{")]
    assert len([line for line in lines if "adopted_ms" in line]) == count
    [took] = [int(line["took_ms"]) for line in lines if "took_ms" in line]
    return took


@pytest.mark.smoke
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT], ids=lambda how: how.name)
def test_machines_go_on_when_the_service_ends_and_is_started_again(how):
    with capsem_home.CapsemHome() as home:
        machines = crash_with_machines(home, how, 4 if how == signal.SIGKILL else 2)
        print(f"{how.name}: {len(machines)} machines adopted in {adoption_work(home, len(machines))} ms")
        # They are sessions as ever.
        (mortal, _), (stays, _) = machines[:2]
        home.ok("stop", mortal, stays)
        assert home.run("info", mortal).code == 3
        assert home.info(stays)["state"] == "stopped"


@pytest.mark.long
@pytest.mark.adoption
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM], ids=lambda how: how.name)
def test_eight_machines_go_on(how):
    with capsem_home.CapsemHome() as home:
        machines = crash_with_machines(home, how, 8)
        took = adoption_work(home, len(machines))
        print(f"{how.name}: 8 machines adopted in {took} ms")
        assert took <= 1000


def test_a_guest_that_restarts_itself_without_a_service_comes_back(fresh_capsem):
    home = fresh_capsem
    session, before = machine(home, "-n", "box")
    off, _ = machine(home, "-n", "off")
    for one, verb in ((session, "reboot"), (off, "poweroff")):
        recorded_as_running(home, one)
        said = home.exec(one, "sh", "-c", f"echo kept > /root/file; setsid sh -c 'sleep 1; {verb}' >/dev/null 2>&1 &")
        assert said.code == 0
    home.kill()
    # Well within its lease.
    eventually("both have ended", 8, lambda: not home.processes())
    home.start()
    assert home.exec(session, "cat", "/root/file").text == "kept\n"
    assert home.info(session)["machine_pid"] != before[0]["machine_pid"]
    assert home.info(off)["state"] == "stopped"


def test_a_machine_that_was_adopted_outlives_that_service_too(fresh_capsem):
    home = fresh_capsem
    session, before = machine(home, "-n", "box")
    recorded_as_running(home, session)
    for how in (signal.SIGKILL, signal.SIGTERM, signal.SIGKILL):
        home.kill(how)
        home.start()
    unchanged(home, session, before)
    # Its death is noticed as that of a machine of our own launch.
    os.kill(before[0]["process_pid"], signal.SIGKILL)
    failed = eventually("it has failed", 10, lambda: (found := home.info(session))["state"] == "failed" and found)
    assert "killed" in failed["reason"].lower()
    assert not capsem_home.alive(before[0]["machine_pid"])
    home.ok("start", session)
    assert home.exec(session, "true").code == 0


def test_eight_starters_after_a_crash_converge_to_one_that_has_the_machines(fresh_capsem):
    home = fresh_capsem
    session, before = machine(home)
    recorded_as_running(home, session)
    home.kill()
    starters = [home.popen("status", "--json") for _ in range(8)]
    said = [starter.communicate()[0] for starter in starters]
    assert [starter.returncode for starter in starters] == [0] * 8
    assert len({json.loads(one)["pid"] for one in said}) == 1
    unchanged(home, session, before)


def test_a_verb_right_after_sigterm_finds_the_next_service(fresh_capsem):
    home = fresh_capsem
    session, before = machine(home)
    recorded_as_running(home, session)
    home.process.send_signal(signal.SIGTERM)
    eventually("it accepts nobody any more", 10, lambda: not os.path.exists(home.socket))
    unchanged(home, session, before)
    home.process.wait()
    home.forget_connection()


# What a row may claim of a process, each wrong in one thing; `{}` is the process that it really is.
FORGERIES = {
    "another_start": lambda pid, start, boot, stranger: {"process_start": start + 1},
    "another_boot": lambda pid, start, boot, stranger: {"process_boot": "00000000-0000-4000-8000-000000000000"},
    "a_stranger": lambda pid, start, boot, stranger: {"process_pid": stranger.pid, "process_start": stranger.start_time},
    "a_stranger_of_another_time": lambda pid, start, boot, stranger: {"process_pid": stranger.pid},
    "another_secret": lambda pid, start, boot, stranger: {"secret": "0" * 64},
}


def test_a_row_that_lies_is_not_believed_and_no_stranger_is_signalled(fresh_capsem):
    home = fresh_capsem
    sessions = {what: home.create("-n", what, "--memory", "256") for what in FORGERIES}
    for session in sessions.values():
        assert home.exec(session, "true").code == 0
        recorded_as_running(home, session)
    home.kill()
    # It even works in the session's folder.
    folder = home.session_folder(sessions["a_stranger"])
    with subprocess.Popen(["sleep", "1000"], cwd=folder) as sleeper:
        stranger = process_tree.find(sleeper.pid)
        for what, session in sessions.items():
            process = row(home, session, "process_pid", "process_start", "process_boot")
            forge(home, session, **FORGERIES[what](*process, stranger))
        home.start()
        for what, session in sessions.items():
            ended = eventually(f"{what} has ended", 30,
                               lambda session=session: (found := home.info(session))["state"] != "running" and found)
            assert ended["state"] == ("stopped" if what == "another_boot" else "failed"), ended
            assert ended["reason"]
        assert "secret" in home.info("another_secret")["reason"]
        assert sleeper.poll() is None
        sleeper.kill()
    eventually("their machines have ended", 10,
               lambda: not [one for one in home.processes() if one.name.startswith(("capsem-process", "qemu-"))])
    home.ok("start", "another_start")
    assert home.exec("another_start", "true").code == 0


def test_without_a_service_what_stays_is_stopped_by_force_if_need_be_and_the_rest_goes():
    with capsem_home.CapsemHome(config="orphan_lease_s = 1\n") as home:
        stays, mortal = home.create("-n", "stays"), home.create()
        later, stuck = home.create(), home.create("-n", "stuck")
        assert home.exec(stays, "sh", "-c", "echo kept > /root/file").code == 0  # no sync: the stop does it
        for session in (mortal, later):
            assert home.exec(session, "sh", "-c", "echo kept > /root/file").code == 0
            recorded_as_running(home, session)
        home.ok("persist", later, "later")
        for session in (stays, stuck):
            recorded_as_running(home, session)
        os.kill(home.info(stuck)["machine_pid"], signal.SIGSTOP)  # its guest does not power off
        home.kill()
        eventually("nothing runs any more", 40, lambda: not home.processes())
        home.start()
        found = {one["id"]: one for one in home.ok("list", "--json").json}
        assert set(found) == {stays, later, stuck}
        assert found[stuck]["state"] == "failed"
        assert "no capsem-service came back" in found[stuck]["reason"] and "by force" in found[stuck]["reason"]
        assert not os.path.exists(home.session_folder(mortal))
        for session in (stays, later):
            assert found[session]["state"] == "stopped"
            assert "no capsem-service came back" in found[session]["reason"]
            disk = f"{home.session_folder(session)}/disk.img"
            said = subprocess.run(["/sbin/e2fsck", "-fn", disk], capture_output=True, check=False)
            assert said.returncode == 0, said.stdout
            home.ok("start", session)
            assert home.exec(session, "cat", "/root/file").text == "kept\n"


def test_what_belongs_to_a_call_ends_with_the_service_that_had_the_call(fresh_capsem):
    home = fresh_capsem
    run = home.popen("run", "--", "sh", "-c", "echo up; sleep 1000")
    assert run.stdout.readline() == b"up\n"
    home.kill()
    assert run.wait(30) != 0
    eventually("its machine is gone, and not at the end of the lease", 5, lambda: not home.processes())
    home.start()
    assert home.ok("list", "--json").json == []


def test_kill_9_during_creates_leaves_sessions_that_start_or_nothing(fresh_capsem):
    home = fresh_capsem
    answered = []

    def create(number):
        done = home.cli.run("create", "-q", "-n", f"box{number}", "--memory", "256")
        if done.returncode == 0:
            answered.append(done.stdout.decode().strip())

    creators = [threading.Thread(target=create, args=[number]) for number in range(4)]
    for creator in creators:
        creator.start()
    eventually("one of them is answered", 60, lambda: answered)
    home.kill()
    for creator in creators:
        creator.join()  # those that came too late have started another service
    found = {one["id"]: one for one in home.ok("list", "--json").json}
    assert set(answered) <= set(found)
    assert set(os.listdir(f"{home.home}/sessions")) == set(found)
    for session, one in found.items():
        if one["state"] != "creating":
            home.ok("start", session)
        assert home.exec(session, "true").code == 0


def test_what_was_half_done_is_repaired(fresh_capsem):
    home = fresh_capsem
    session, before = machine(home, "-n", "box")
    recorded_as_running(home, session)
    home.ok("create", "-n", "stopped")
    home.ok("stop", "stopped")
    stopped = home.session_folder(home.info("stopped")["id"])
    home.kill()
    assert os.path.exists(home.socket)  # stale
    os.mkdir(home.session_folder("aaaaaaaaaaaa"), 0o700)
    for name in ("process.sock", "process.sock~", "disk.img.new"):
        with open(f"{stopped}/{name}", "wb") as file:
            file.write(b"cut short")
    with open(f"{home.session_folder(session)}/disk.img.new", "wb") as file:
        file.write(b"cut short")
    home.start()
    unchanged(home, session, before)
    assert not os.path.exists(home.session_folder("aaaaaaaaaaaa"))
    assert not os.path.exists(f"{stopped}/disk.img.new")
    home.ok("start", "stopped")
    assert home.exec("stopped", "true").code == 0


def test_a_service_of_another_version_is_named(home):
    import fcntl
    import socket
    home.cli.text("status")
    home.cli.text("service", "stop")
    with open(f"{home.home}/run/service.lock", "r+", encoding="utf-8") as lock, socket.socket(socket.AF_UNIX) as other:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.truncate()
        lock.write(f"{os.getpid()} 99.1\n")
        lock.flush()
        other.bind(home.socket)
        other.listen()
        done = home.cli.run("service", "run")
        os.unlink(home.socket)
    assert done.returncode == 0
    assert b"version 99.1" in done.stderr and b"already" in done.stderr and f"kill {os.getpid()}".encode() in done.stderr


def test_service_stop_ends_what_was_adopted(fresh_capsem):
    home = fresh_capsem
    stays, _ = machine(home, "-n", "stays")
    mortal, _ = machine(home)
    for session in (stays, mortal):
        recorded_as_running(home, session)
    home.kill()
    home.start()
    home.ok("service", "stop")
    assert home.processes() == []
    assert row(home, stays, "state", "process_pid") == ("stopped", 0)
    assert row(home, mortal, "state") is None


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM], ids=lambda how: how.name)
def test_a_command_prints_on_and_is_read_on_without_a_gap(fresh_capsem, how):
    home = fresh_capsem
    session = home.create("-n", "box", "--memory", "256")
    call = home.api.start(session, "i=0; while [ $i -lt 500 ]; do echo $i; i=$((i+1)); sleep 0.01; done; exit 7")
    number, read = next(call).started.exec, b""
    while read.count(b"\n") < 50:
        read += next(call).stdout
    recorded_as_running(home, session)
    home.kill(how)
    with contextlib.suppress(grpc.RpcError):
        for event in call:  # what was on its way
            read += event.stdout
    home.start()
    rest = rpc.collect(home.api.attach(session, number, offset=len(read)))
    assert (read + rest.stdout).decode().split() == [str(line) for line in range(500)]
    assert rest.code == 7
