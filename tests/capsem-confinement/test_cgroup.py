"""A machine's cgroup: which there is on this host, told for real; what a kernel that has all of it does, in a guest."""
import textwrap

import pytest

from support import cgroups, paths
from support.capsem_home import CapsemHome
from support.eventually import eventually

pytestmark = pytest.mark.confinement

PROBE = paths.BUILD / "tests" / "cgroup_probe"
# In the guest, whose root has memory, pids and cpu on for the groups below it.
UNIT = "/sys/fs/cgroup/unit"


@pytest.mark.smoke
def test_without_a_delegated_folder_there_are_rlimits_only_and_status_and_info_say_why(capsem, box):
    assert capsem.exec(box, "true").code == 0  # it has a machine
    status, info = capsem.ok("status", "--json").json, capsem.info(box)
    assert status["cgroup"] == info["cgroup"]
    assert status["cgroup"].startswith("rlimits only: ")
    folder = cgroups.folder_of(capsem.service_pid())
    why = "cgroup v2" if folder is None else f"the service's cgroup, {folder}, is not delegated to it"
    assert why in status["cgroup"] and "systemctl --user start capsem" in status["cgroup"]
    for words in (["status"], ["info", box]):
        [line] = [line for line in capsem.ok(*words).text.splitlines() if line.startswith("cgroup")]
        assert status["cgroup"] in line
    assert cgroups.folder_of(info["process_pid"]) == cgroups.folder_of(info["machine_pid"]) == folder


def test_a_session_without_a_machine_has_no_cgroup(capsem):
    session = capsem.create("-n", "kept")
    capsem.exec(session, "true")
    assert capsem.info(session)["cgroup"]
    capsem.ok("stop", session)
    assert not capsem.info(session).get("cgroup")
    capsem.ok("delete", session)


def test_a_delegated_folder_is_used_as_far_as_this_kernel_lets_it(tmp_path):
    """Where the controllers belong to cgroup v1, there is nothing to use: that is told, and everything works."""
    with cgroups.delegated(tmp_path.name) as folder:
        there = folder and (folder / "cgroup.controllers").read_text().split()
        usable = [name for name in cgroups.CONTROLLERS if name in (there or [])]
        with CapsemHome(wrapper=cgroups.entering(folder) if folder else ()) as capsem:
            session = capsem.create("--memory", "256")
            assert capsem.exec(session, "echo", "up").text == "up\n"
            told, info = capsem.ok("status", "--json").json["cgroup"], capsem.info(session)
            home = cgroups.folder_of(info["machine_pid"])
            assert cgroups.folder_of(info["process_pid"]) == home
            if usable:
                assert told.startswith(", ".join(usable))
                assert home == folder / f"session-{info['id']}"
                assert "memory" not in usable or (home / "memory.max").read_text() == f"{516 << 20}\n"
            else:
                assert told.startswith("rlimits only: ") and info["cgroup"] == told
                if folder:
                    assert f"{folder}, has none of the controllers memory, pids, cpu" in told
                    assert cgroups.folder_of(capsem.pid) == home == folder
            capsem.ok("delete", session)
            assert not folder or cgroups.groups_below(folder) == ([cgroups.SERVICE] if usable else [])


class Guest:
    """Root of a machine, with the program that does what the service does."""

    def __init__(self, capsem):
        self.api = capsem.api
        self.session = capsem.create("--memory", "1024")
        self.put("/root/cgroup_probe", PROBE.read_bytes())
        self.sh("chmod 0700 /root/cgroup_probe")

    def put(self, path, data):
        pieces = [data[at:at + 60_000] for at in range(0, len(data), 60_000)]
        self.api.exec(self.session, f"cat > {path}", stdin=pieces)

    def sh(self, script, code=0):
        done = self.api.exec(self.session, textwrap.dedent(script))
        assert done.code == code, done
        return done.stdout.decode()

    def probe(self, *words, group=UNIT):
        """(what it says, by its words; the lines of the script)"""
        quoted = " ".join(f"'{word}'" for word in words)
        said = self.sh(f"sh -c 'echo $$ > {group}/cgroup.procs && exec \"$@\"' sh /root/cgroup_probe {quoted}")
        pairs = [line.partition(": ") for line in said.splitlines()]
        return {key: value for key, colon, value in pairs if colon}, [key for key, colon, _ in pairs if not colon]

    def lift(self):
        """So that another can be put into the folder."""
        self.probe("lift", group=f"{UNIT}/{cgroups.SERVICE}")

    def below(self):
        return self.sh(f"cd {UNIT} && find . -mindepth 1 -type d | sort").split()


@pytest.fixture(scope="module")
def machine(capsem):
    return Guest(capsem)


@pytest.fixture
def guest(machine):
    """With a folder that is delegated as systemd does it."""
    machine.sh(f"""\
        mkdir {UNIT}
        python3 -c 'import os; os.setxattr("{UNIT}", "user.delegate", b"1")'""")
    yield machine
    machine.sh(f"""\
        echo 1 > {UNIT}/cgroup.kill
        until grep -q 'populated 0' {UNIT}/cgroup.events; do :; done
        find {UNIT} -depth -type d -exec rmdir {{}} +""")


def test_a_program_is_born_in_a_group_of_its_own_with_limits_and_the_group_goes(guest):
    said, lines = guest.probe("run", "box", 2, 256,
                              "cat /proc/self/cgroup; cd /sys/fs/cgroup/unit/session-box; cat memory.max pids.max cpu.weight")
    assert said["groups"] == "memory, pids, cpu"
    assert said["group"] == "memory 516 MiB, 256 tasks, cpu weight 200"
    assert said["ended"] == "exit code 0"
    assert lines == ["0::/unit/session-box", str(516 << 20), "256", "200"]
    assert guest.below() == ["./service"]
    assert guest.sh(f"cat {UNIT}/cgroup.subtree_control").split() == ["cpu", "memory", "pids"]
    assert guest.sh(f"cat {UNIT}/service/cpu.weight") == "10000\n"


def test_more_memory_than_a_machine_may_have_ends_the_machine(guest):
    said, _ = guest.probe("run", "box", 1, 16, "exec python3 -c \"print(len(bytearray(100 << 20)))\"")
    assert said["ended"] == "exit code 0"
    guest.lift()
    said, _ = guest.probe("run", "box", 1, 16, "exec python3 -c \"print(len(bytearray(400 << 20)))\"")
    assert said["group"].startswith("memory 272 MiB")
    assert said["ended"].startswith("signal 9")


def test_more_threads_than_a_machine_may_have_are_refused(guest):
    script = """\
        import threading
        stop = threading.Event()
        try:
            for _ in range(1000):
                threading.Thread(target=stop.wait).start()
        except RuntimeError:
            print(threading.active_count())
        stop.set()
        """
    guest.put("/root/threads.py", textwrap.dedent(script).encode())
    _, lines = guest.probe("run", "box", 1, 256, "exec python3 /root/threads.py")
    assert lines == ["256"]


def test_a_folder_with_processes_of_others_is_not_divided(guest):
    guest.sh(f"""\
        sh -c 'echo $$ > {UNIT}/cgroup.procs; exec sleep 1000' > /dev/null 2>&1 &
        until grep -q . {UNIT}/cgroup.procs; do :; done""")
    said, lines = guest.probe("run", "box", 1, 256, "cat /proc/self/cgroup")
    assert said["groups"].startswith("rlimits only: ")
    assert "a cgroup whose groups have limits can have no process of its own" in said["groups"]
    assert said["group"] == said["groups"]
    assert lines == ["0::/unit"]
    assert guest.below() == []


def test_a_folder_without_the_mark_is_left_alone(guest):
    guest.sh(f"python3 -c 'import os; os.removexattr(\"{UNIT}\", \"user.delegate\")'")
    said, lines = guest.probe("run", "box", 1, 256, "cat /proc/self/cgroup")
    assert f"the service's cgroup, {UNIT}, is not delegated to it" in said["groups"]
    assert lines == ["0::/unit"]
    # As systemd may mark it for root.
    guest.sh(f"python3 -c 'import os; os.setxattr(\"{UNIT}\", \"trusted.delegate\", b\"1\")'")
    said, _ = guest.probe("run", "box", 1, 256, "true")
    assert said["groups"] == "memory, pids, cpu"


def test_a_service_that_comes_back_adopts_a_group_with_its_limits(guest):
    """What systemd and the unit do at a restart, step by step: why limits are lifted, and that they come back."""
    left, _ = guest.probe("leave", "box", 1, 256, "exec sleep 1000 > /dev/null 2>&1")
    enter = f"sh -c 'echo $$ > {UNIT}/cgroup.procs' 2>/dev/null"
    assert guest.sh(f"{enter} || echo busy") == "busy\n"
    guest.sh(f"mkdir {UNIT}/.control")
    guest.probe("lift", group=f"{UNIT}/.control")
    guest.sh(f"rmdir {UNIT}/.control; {enter}; test ! -e {UNIT}/session-box/memory.max; kill -0 {left['pid']}")
    said, _ = guest.probe("adopt", "box", 1, 256, left["pid"])
    assert said["groups"] == "memory, pids, cpu"
    assert said["group"] == left["group"] == "memory 516 MiB, 256 tasks, cpu weight 100"
    # That service has ended, and with it whoever was left in the group; the next removes the group.
    guest.sh(f"until grep -q 'populated 0' {UNIT}/cgroup.events; do :; done; ! kill -0 {left['pid']} 2>/dev/null")
    guest.lift()
    guest.probe("run", "other", 1, 256, "true")
    assert guest.below() == ["./service"]


def test_whoever_is_left_when_a_machine_has_ended_is_ended(guest):
    guest.probe("run", "box", 1, 256, "setsid sleep 1000 > /dev/null 2>&1 &")
    eventually("nobody lives in the unit", 10, lambda: "populated 0" in guest.sh(f"cat {UNIT}/cgroup.events"))
    guest.lift()
    guest.probe("run", "other", 1, 256, "true")
    assert guest.below() == ["./service"]
