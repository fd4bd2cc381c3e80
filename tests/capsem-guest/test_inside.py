"""What a command finds inside the machine."""
import pytest

pytestmark = pytest.mark.guest


@pytest.mark.smoke
def test_the_machine_is_as_it_was_asked_for(capsem):
    session = capsem.create("--cpus", "2", "--memory", "400", "-n", "two-cpus")
    assert capsem.exec(session, "nproc").out == b"2\n"
    total = int(capsem.exec(session, "sh", "-c", "grep MemTotal /proc/meminfo | tr -dc 0-9").text)
    assert 300_000 < total < 400 * 1024
    assert capsem.exec(session, "hostname").out == b"two-cpus\n"
    capsem.ok("delete", session)


def test_an_emulated_guest_takes_its_clock_from_what_the_host_measured(capsem, box):
    line = capsem.exec(box, "cat", "/proc/cmdline").text.split()
    if "tsc=reliable" not in line:  # hardware: KVM's own clock
        return
    [told] = [word.partition("=")[2] for word in line if word.startswith("tsc_early_khz=")]
    seen = float(capsem.exec(box, "sh", "-c", "grep -m 1 MHz /proc/cpuinfo").text.split(":")[1])
    assert seen == pytest.approx(int(told) / 1000, rel=0.01)


def test_utilities_that_people_expect(capsem, box):
    for program in ("sh", "bash", "python3", "git", "curl", "ps", "ip", "tar", "gzip", "grep", "sed", "awk"):
        assert capsem.exec(box, "sh", "-c", f"command -v {program}").code == 0, program


def test_the_root_is_an_overlay_on_a_read_only_image(capsem, box):
    assert capsem.exec(box, "stat", "-f", "-c", "%T", "/").text.strip() == "overlayfs"
    assert capsem.exec(box, "sh", "-c", "echo x > /usr/bin/mine && cat /usr/bin/mine").out == b"x\n"


def test_two_machines_share_nothing_that_they_write(capsem, box):
    other = capsem.create()
    assert capsem.exec(box, "sh", "-c", "echo secret > /etc/only-here").code == 0
    assert capsem.exec(other, "cat", "/etc/only-here").code == 1
    ids = [capsem.exec(session, "cat", "/etc/machine-id").text for session in (box, other)]
    assert ids[0] != ids[1]
    assert all(len(one.strip()) == 32 for one in ids)
    random = [capsem.exec(session, "cat", "/proc/sys/kernel/random/uuid").text for session in (box, other)]
    assert random[0] != random[1]
    capsem.ok("delete", other)


def test_pid_1_is_the_agent_and_cannot_be_ended_by_a_signal_from_inside(capsem, box):
    for signal in ("KILL", "STOP", "HUP", "SEGV", "USR1"):
        capsem.exec(box, "kill", f"-{signal}", "1")
    assert capsem.exec(box, "echo", "alive").out == b"alive\n"


def test_orphans_are_reaped(capsem, box):
    script = "for i in $(seq 50); do (sh -c 'sleep 0.01' &) ; done; sleep 1; ps -eo stat= | grep -c Z || true"
    assert capsem.exec(box, "sh", "-c", script).text.strip() == "0"


def test_clock_and_workspace(capsem, box):
    import time
    told = int(capsem.exec(box, "date", "+%s").text)
    assert abs(told - time.time()) < 30
    assert capsem.exec(box, "sh", "-c", "cd /workspace && touch file && ls").out == b"file\n"


def test_guest_programs_cannot_be_changed_by_root(capsem, box):
    script = ("touch /opt/capsem/bin/x || chmod 777 /opt/capsem/bin || mount -o remount,rw /opt/capsem/bin "
              "|| mv /opt/capsem/bin /opt/capsem/other")
    assert capsem.exec(box, "sh", "-c", script).code != 0


def test_nothing_is_suid(capsem, box):
    assert capsem.exec(box, "find", "/", "-xdev", "-perm", "/6000", "-type", "f").out == b""


def test_a_memory_hog_is_ended_and_the_machine_lives(capsem):
    session = capsem.create("--memory", "300")
    hog = capsem.run("exec", "--timeout", "60", session, "--", "python3", "-c", "x = b'x' * (1 << 30)")
    assert hog.code in (1, 124, 137)
    assert capsem.exec(session, "echo", "alive").out == b"alive\n"
    capsem.ok("delete", session)
