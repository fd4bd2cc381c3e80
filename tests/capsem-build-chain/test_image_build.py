"""Building an image in bad weather: what happened, what helps, and nothing half-made."""
import subprocess
import tempfile

import pytest

from support import cli, mounts, paths

pytestmark = pytest.mark.build_chain


def build_on_a_small_disk(mib):
    """(exit code, what was said, what is left of images and cached roots). The disk is the whole state folder."""
    with tempfile.TemporaryDirectory(prefix="cs", dir="/tmp") as home:
        # The last command lists what is left while the disk is still there.
        script = f'code=0; "$@" || code=$?; cd {home} && find images cache/rootfs -mindepth 1; exit $code'
        command = [*mounts.privately(mounts.small_disk(home, mib)), "sh", "-c", script, "sh", paths.BIN / "capsem", "image", "build"]
        done = subprocess.run(command, env=cli.environment(home), stdin=subprocess.DEVNULL, text=True, capture_output=True, cwd="/")
    return done.returncode, done.stderr, done.stdout.split()


def test_a_small_disk_is_said_before_the_work():
    code, said, left = build_on_a_small_disk(64)
    assert code == 5
    assert "no space left on device: an image takes 250 MiB" in said
    assert "what helps: free some space there, or choose another folder with CAPSEM_HOME" in said
    assert "installing" not in said
    assert left == []
