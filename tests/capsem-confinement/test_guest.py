"""What root of a guest tries: each attempt works on the host, where the same words are run first."""
import contextlib
import ctypes
import os
import pathlib
import socket
import subprocess

import pytest

from support import gateway

pytestmark = pytest.mark.confinement

# Name → lines of bash that work when what they look for is there. {home}: the service's; {pid}: its, {machine}: QEMU's,
# {sleeper}: of a process that may be signalled; {port}, {port6}: servers on the host's loopback; {other}: another session,
# {own}: this one; {gateway}: capsem-gateway's port; {boot}, {name}, {release}, {cpu}, {total}: what this host is.
PROBES = {
    "the host's loopback": "exec 3<>/dev/tcp/127.0.0.1/{port}",
    "the host's loopback, IPv6": "exec 3<>/dev/tcp/::1/{port6}",
    "the gateway": "exec 3<>/dev/tcp/127.0.0.1/{gateway}",
    "the gateway's token": "test -s {home}/run/gateway.token",
    "the gateway's port": "test -s {home}/run/gateway.port",
    "service.sock": "test -S {home}/run/service.sock",
    "service.sock, connected": "python3 -c 'import socket; socket.socket(socket.AF_UNIX).connect(\"{home}/run/service.sock\")'",
    "an abstract socket": "python3 -c 'import socket; socket.socket(socket.AF_UNIX).connect(\"\\0{home}/abstract\")'",
    "D-Bus": "python3 -c 'import socket; socket.socket(socket.AF_UNIX).connect(\"{home}/bus\")'",
    "the registry": "test -s {home}/registry.db",
    "the service's log": "test -s {home}/service.log",
    "the lock of the service": "test -f {home}/run/service.lock",
    "the images": "test -d {home}/images",
    "the keys of images": "test -d {home}/keys",
    "its own folder": "test -d {home}/sessions/{own}",
    "its own disk, from outside": "test -s {home}/sessions/{own}/disk.img",
    "its own log": "test -s {home}/sessions/{own}/process.log",
    "its own process.sock": "test -S {home}/sessions/{own}/process.sock",
    "another session's folder": "test -d {home}/sessions/{other}",
    "another session's disk": "test -s {home}/sessions/{other}/disk.img",
    "another session's log": "test -s {home}/sessions/{other}/process.log",
    "another session's process.sock": "test -S {home}/sessions/{other}/process.sock",
    "a file of the host": "grep -q of-the-host {home}/secret",
    "a file of the host, through a process's root": "grep -q of-the-host /proc/{pid}/root{home}/secret",
    "a file of the host, through a process's folder": "cd /proc/{pid}/cwd && grep -q of-the-host {home}/secret",
    "shared memory": "grep -q of-the-host /dev/shm/{shared}",
    "shared memory of System V": "ipcs -m | grep -q '^{key}' || awk -v key={decimal} '$1 == key {{ found = 1 }} END {{ exit !found }}' /proc/sysvipc/shm",
    "the host's processes": "grep -q capsem-service /proc/{pid}/cmdline",
    "the environment of one": "grep -q CAPSEM_HOME={home} /proc/{pid}/environ",
    "the open files of one": "ls -l /proc/{pid}/fd | grep -q {home}",
    "the memory of one": "grep -q capsem-service /proc/{pid}/cmdline && exec 3</proc/{pid}/mem",
    "QEMU's own process": "grep -q qemu-system /proc/{machine}/cmdline",
    "QEMU's memory": "grep -q qemu-system /proc/{machine}/cmdline && exec 3</proc/{machine}/mem",
    "a signal": "grep -q {shared} /proc/{sleeper}/environ && kill -0 {sleeper}",
    "ptrace": "grep -q {shared} /proc/{sleeper}/environ && python3 -c 'import ctypes; exit(ctypes.CDLL(None).ptrace(16, {sleeper}, 0, 0))'",
    "a priority": "grep -q {shared} /proc/{sleeper}/environ && renice -n 19 -p {sleeper}",
    "the host's boot": "grep -q {boot} /proc/sys/kernel/random/boot_id",
    "the host's name": "test $(cat /proc/sys/kernel/hostname) = {name}",
    "the host's kernel": "test $(uname -r) = {release}",
    "the host's memory": "grep -q 'MemTotal: *{total} kB' /proc/meminfo",
}


@pytest.fixture(scope="module")
def words(capsem, box):
    """What each probe looks for, on the host."""
    other = capsem.create()
    for session in (box, other):  # their QEMUs have pids once they run
        assert capsem.exec(session, "true").code == 0
    shared = f"capsem-probe-{os.getpid()}"
    key = 0x0c000000 + os.getpid()
    with contextlib.ExitStack() as planted:
        for path in (f"{capsem.home}/secret", f"/dev/shm/{shared}"):
            pathlib.Path(path).write_text("of-the-host", encoding="ascii")
            planted.callback(os.unlink, path)
        ports = [planted.enter_context(socket.create_server(("127.0.0.1", 0))).getsockname()[1],
                 planted.enter_context(socket.create_server(("::1", 0), family=socket.AF_INET6)).getsockname()[1]]
        for name in (f"{capsem.home}/bus", f"\0{capsem.home}/abstract"):
            listener = planted.enter_context(socket.socket(socket.AF_UNIX))
            listener.bind(name)
            listener.listen()
        planted.callback(os.unlink, f"{capsem.home}/bus")
        libc = ctypes.CDLL(None, use_errno=True)
        segment = libc.shmget(key, 4096, 0o1600)  # IPC_CREAT
        assert segment >= 0, os.strerror(ctypes.get_errno())
        planted.callback(libc.shmctl, segment, 0, None)  # IPC_RMID
        sleeper = subprocess.Popen(["sleep", "infinity"], env={"NAME": shared})
        planted.callback(lambda: (sleeper.kill(), sleeper.wait()))
        [total] = [line.split()[1] for line in pathlib.Path("/proc/meminfo").read_text().splitlines() if "MemTotal" in line]
        yield {"home": capsem.home, "pid": capsem.service_pid(), "port": ports[0], "port6": ports[1], "other": other, "own": box,
               "gateway": gateway.of(capsem).port, "machine": capsem.info(box)["machine_pid"], "sleeper": sleeper.pid,
               "shared": shared, "key": f"0x{key:08x}", "decimal": key, "total": total,
               "boot": pathlib.Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip(),
               "name": socket.gethostname(), "release": os.uname().release}


def test_there_are_at_least_forty_probes():
    assert len(PROBES) >= 40


@pytest.fixture(scope="module")
def in_guest(capsem, box, words):
    """name → how each ended there, as root; all in one command."""
    assert capsem.exec(box, "id", "-u").text == "0\n"
    scripts = [f"( {probe.format(**words)} ) >/dev/null 2>&1 </dev/null; echo $?" for probe in PROBES.values()]
    return dict(zip(PROBES, map(int, capsem.exec(box, "bash", "-c", "\n".join(scripts)).text.split()), strict=True))


@pytest.mark.parametrize("name", PROBES)
def test_root_of_a_guest_reaches_nothing_of_the_host(words, in_guest, name):
    there = subprocess.run(["bash", "-c", PROBES[name].format(**words)], check=False, capture_output=True)
    assert there.returncode == 0, there.stderr
    assert in_guest[name] != 0


@pytest.mark.parametrize("address", ["10.0.2.2", "192.168.122.1", "172.17.0.1", "8.8.8.8"])
def test_no_address_answers(capsem, box, address):
    assert capsem.exec(box, "bash", "-c", f"exec 3<>/dev/tcp/{address}/53").code != 0


# The host's, this machine's own, everybody's, and of numbers that machines have.
ADDRESSES = [(2, port) for port in (0, 1, 22, 111, 1023, 1024, 4999, 5001, 5002, 65535, 65536, 0x7fffffff, 0xfffffffe)]
ADDRESSES += [(cid, port) for cid in (0, 3, 4, 1000) for port in (22, 5000)]
# Of low source ports, as the agent has one.
CONNECT = """
import errno, socket, sys
answered = []
for cid, port in {addresses}:
    s = socket.socket(socket.AF_VSOCK)
    s.settimeout(5)
    for source in range(600, 1000):
        try:
            s.bind((0xffffffff, source))
            break
        except OSError:
            pass
    try:
        s.connect((cid, port))
        answered.append((cid, port))
    except OSError:
        pass
    s.close()
print(answered)
"""


def test_no_other_vsock_port_answers_root(capsem, box):
    own = capsem.exec(box, "python3", "-c", "import socket, fcntl, struct; "
                      "print(struct.unpack('I', fcntl.ioctl(open('/dev/vsock'), 0x7b9, bytes(4)))[0])").text.strip()
    addresses = [one for one in ADDRESSES if one[0] != int(own)]
    assert capsem.exec(box, "python3", "-c", CONNECT.format(addresses=addresses)).text == "[]\n"


def test_a_second_agent_disturbs_nobody(capsem, box):
    """Root of a guest may speak to the port that the agent has spoken to: the agent's link is the one that counts."""
    capsem.exec(box, "python3", "-c", CONNECT.format(addresses=[(2, 5000)] * 20))
    assert capsem.exec(box, "echo", "still").text == "still\n"


def test_the_image_is_not_written(capsem, box):
    assert capsem.exec(box, "sh", "-c", "disk=$(grep -l capsem-root /sys/block/vd*/serial | cut -d/ -f4); "
                       "dd if=/dev/zero of=/dev/$disk bs=512 count=1 conv=fsync").code != 0


def test_a_guest_has_its_own_devices_and_no_others(capsem, box):
    assert capsem.exec(box, "sh", "-c", "ls /sys/class/net").text.split() in ([], ["lo"])
    # 0x02: network controllers.
    assert "0x02" not in capsem.exec(box, "sh", "-c", "cut -c1-4 /sys/bus/pci/devices/*/class").text
    assert capsem.exec(box, "sh", "-c", "for disk in /sys/block/vd*; do echo $(cat $disk/serial); done").text.split() == ["capsem-root", "capsem-disk"]
    mounts = capsem.exec(box, "cat", "/proc/mounts").text
    assert mounts and not [kind for kind in ("virtiofs", "9p", "nfs", "fuse.") if f" {kind}" in mounts]
