"""The console of a machine is kept, bounded, and shown by `capsem logs`."""
import os
import subprocess

import pytest

from support import process_tree

pytestmark = pytest.mark.serial


def test_what_the_kernel_prints_is_in_the_log(capsem, box):
    assert capsem.exec(box, "sh", "-c", "echo '<0>a line for the console' > /dev/kmsg").code == 0
    assert "a line for the console" in capsem.ok("logs", "--serial", box).text


def test_tail_gives_the_last_lines(capsem, box):
    script = "for i in 1 2 3 4 5 6 7 8 9; do echo \"<0>line-$i\" > /dev/kmsg; done"
    assert capsem.exec(box, "sh", "-c", script).code == 0
    lines = capsem.ok("logs", "--serial", "--tail", "2", box).text.splitlines()
    assert len(lines) == 2
    assert "line-9" in lines[-1]


def test_a_flood_stays_within_its_ring_and_harms_nobody(capsem, box):
    script = "head -c 30000000 /dev/zero | tr '\\0' x | fold -w 100 > /dev/ttyS0 & sleep 1; echo done; kill %1"
    assert capsem.run("exec", "--timeout", "60", box, "--", "sh", "-c", script).out == b"done\n"
    sizes = [size for name, size in serial_files(capsem, box)]
    assert sum(sizes) <= 8 << 20
    assert capsem.exec(box, "echo", "alive").out == b"alive\n"


def test_a_flood_that_nobody_reads_is_followed_without_memory(capsem, box):
    follower = capsem.popen("logs", "--serial", "--follow", box)  # its pipe is full soon
    flood = "head -c 30000000 /dev/zero | tr '\\0' x | fold -w 100 > /dev/ttyS0"
    assert capsem.exec(box, "true").code == 0
    before = resident(capsem.service_pid())
    script = f"{flood} & sleep 3; echo done; kill %1"
    assert capsem.run("exec", "--timeout", "60", box, "--", "sh", "-c", script).out == b"done\n"
    # What is on its way to the follower is bounded by the stream, 1 MiB and some.
    assert resident(capsem.service_pid()) - before < 16 << 20
    assert sum(size for _, size in serial_files(capsem, box)) <= 8 << 20
    assert follower.poll() is None
    follower.stdout.close()
    follower.wait(60)
    follower.stderr.close()


@pytest.mark.long
@pytest.mark.console
@pytest.mark.timeout(2 * 3600)
def test_a_flood_of_1_gib_stays_within_its_ring_and_nobody_grows(capsem, box):
    session = capsem.info(box)
    most = 0
    with process_tree.flat_memory([capsem.service_pid(), session["process_pid"]], 16 << 20):
        flood = capsem.popen("exec", "--timeout", "7200", box, "--", "sh", "-c", "head -c 1073741824 /dev/zero | tr '\\0' x | fold -w 100 > /dev/ttyS0")
        while not ended_within(flood, 1):
            most = max(most, sum(size for _, size in serial_files(capsem, box)))
            assert capsem.exec(box, "echo", "others go on").out == b"others go on\n"
        assert flood.communicate() == (b"", b"")
    assert flood.returncode == 0
    print(f"at most {most} bytes of console were kept")
    assert 0 < most <= 8 << 20


def ended_within(process, seconds):
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


def resident(pid):
    with open(f"/proc/{pid}/statm", encoding="ascii") as pages:
        return int(pages.read().split()[1]) * 4096


def serial_files(capsem, session):
    folder = capsem.session_folder(session)
    return [(name, os.path.getsize(f"{folder}/{name}")) for name in os.listdir(folder) if name.startswith("serial")]
