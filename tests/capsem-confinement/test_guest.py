"""What root of a guest tries: each attempt works on the host, where the same words are run first."""
import pathlib
import socket
import subprocess

import pytest

from support import gateway

pytestmark = pytest.mark.confinement

# Name → lines of bash that work when what they look for is there. {home}: the service's; {pid}: its; {port}: a server on
# the host's loopback; {other}: another session; {gateway}: capsem-gateway's port.
PROBES = {
    "the host's loopback": "exec 3<>/dev/tcp/127.0.0.1/{port}",
    "the gateway": "exec 3<>/dev/tcp/127.0.0.1/{gateway}",
    "service.sock": "test -S {home}/run/service.sock",
    "the registry": "test -s {home}/registry.db",
    "another session's folder": "test -d {home}/sessions/{other}",
    "another session's disk": "test -s {home}/sessions/{other}/disk.img",
    "the host's processes": "grep -q capsem-service /proc/{pid}/cmdline",
    "QEMU's own process": "grep -q qemu-system /proc/{machine}/cmdline",
    "the host's boot": "grep -q {boot} /proc/sys/kernel/random/boot_id",
    "a file of the host": "grep -q of-the-host {home}/secret",
}


@pytest.fixture(scope="module")
def words(capsem, box):
    other = capsem.create()
    assert capsem.exec(box, "true").code == 0  # its QEMU has a pid once it runs
    secret = pathlib.Path(capsem.home, "secret")
    secret.write_text("of-the-host", encoding="ascii")
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield {"home": capsem.home, "pid": capsem.service_pid(), "port": listener.getsockname()[1], "other": other,
               "gateway": gateway.of(capsem).port,
               "machine": capsem.info(box)["machine_pid"],
               "boot": pathlib.Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()}
    secret.unlink()


@pytest.mark.parametrize("name", PROBES)
def test_root_of_a_guest_reaches_nothing_of_the_host(capsem, box, words, name):
    script = PROBES[name].format(**words)
    assert subprocess.run(["bash", "-c", script], check=False, capture_output=True).returncode == 0
    assert capsem.exec(box, "id", "-u").text == "0\n"
    assert capsem.exec(box, "bash", "-c", script).code != 0


@pytest.mark.parametrize("address", ["10.0.2.2", "192.168.122.1", "172.17.0.1", "8.8.8.8"])
def test_no_address_answers(capsem, box, address):
    assert capsem.exec(box, "bash", "-c", f"exec 3<>/dev/tcp/{address}/53").code != 0


def test_a_guest_has_its_own_devices_and_no_others(capsem, box):
    assert capsem.exec(box, "sh", "-c", "ls /sys/class/net").text.split() in ([], ["lo"])
    # 0x02: network controllers.
    assert "0x02" not in capsem.exec(box, "sh", "-c", "cut -c1-4 /sys/bus/pci/devices/*/class").text
    assert capsem.exec(box, "sh", "-c", "for disk in /sys/block/vd*; do echo $(cat $disk/serial); done").text.split() == ["capsem-root", "capsem-disk"]
    mounts = capsem.exec(box, "cat", "/proc/mounts").text
    assert mounts and not [kind for kind in ("virtiofs", "9p", "nfs", "fuse.") if f" {kind}" in mounts]
