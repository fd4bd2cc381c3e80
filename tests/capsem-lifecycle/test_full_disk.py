"""The host's disk fills up under a machine: it stands still and says so, and goes on when there is room."""
import os
import subprocess

import pytest

from support import mounts
from support.eventually import eventually

pytestmark = pytest.mark.lifecycle


@pytest.fixture
def small_home(home):
    """`home` on a disk of 200 MiB that only its service and what we run with its prefix see."""
    with open(f"{home.home}/config.toml", "w", encoding="utf-8") as config:
        config.write("min_free_mib = 64\n")
    shared = [f"ln -s {os.readlink(entry.path)} {entry.path}" for entry in os.scandir(home.home) if entry.is_symlink()]
    keep = f"config=$(cat {home.home}/config.toml)"
    copy = f'echo "$config" > {home.home}/config.toml'
    home.cli.prefix = mounts.privately("\n".join([keep, mounts.small_disk(home.home, 200), copy, *shared]))
    service = home.cli.json("status")["pid"]
    home.cli.prefix = ["nsenter", "--mount", "--target", str(service), "--"]
    yield home
    home.cli.text("service", "stop")


def test_a_machine_whose_disk_has_no_room_waits_and_goes_on(small_home):
    cli = small_home.cli
    session = cli.text("create", "-q", "-n", "box", "--memory", "256").strip()
    assert cli.run("exec", session, "--", "true").returncode == 0
    # All that is free: dd ends when nothing is.
    subprocess.run([*cli.prefix, "dd", "if=/dev/zero", f"of={small_home.home}/fill", "bs=1M"], check=False, capture_output=True)
    writer = cli.start("exec", session, "--", "sh", "-c", "tr '\\0' x < /dev/zero | head -c 16M > /root/file && sync && sha256sum /root/file")
    said = eventually("it says that it waits", 60, lambda: (found := cli.json("info", session))["reason"] and found)
    assert said["state"] == "running" and "full" in said["reason"] and "goes on by itself" in said["reason"]
    assert [one["id"] for one in cli.json("list")] == [session]
    assert writer.poll() is None
    subprocess.run([*cli.prefix, "rm", f"{small_home.home}/fill"], check=True)
    out, err = writer.communicate(timeout=100)
    assert writer.returncode == 0, err
    assert out.split()[0] == subprocess.run("tr '\\0' x < /dev/zero | head -c 16M | sha256sum", shell=True, check=True,
                                            capture_output=True).stdout.split()[0]
    assert cli.json("info", session)["reason"] == ""
