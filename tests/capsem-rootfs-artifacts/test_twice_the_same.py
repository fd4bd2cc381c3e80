"""Whoever builds the same packages at the same SOURCE_DATE_EPOCH has the same image, byte by byte."""
import hashlib
import json
import subprocess

import pytest

from support import cli, paths

pytestmark = pytest.mark.rootfs

# Not the time that a build takes by itself: it must be this one that counts.
EPOCH = 1700000000
# Seconds for one build with everything fetched anew; it takes 30 when nobody else works.
BUILD_LIMIT = 400


def build(home):
    """The folder of an image that was built from nothing."""
    home.mkdir(mode=0o700)
    done = subprocess.run([paths.ROOT / "tools/image/build", "--agent", paths.BIN / "capsem-agent", "--quiet"],
                          env=cli.environment(home, SOURCE_DATE_EPOCH=str(EPOCH)), capture_output=True, text=True,
                          timeout=BUILD_LIMIT, cwd="/")
    assert done.returncode == 0, done.stderr
    return home / "images" / done.stdout.strip()


def contents(folder):
    return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest()
            for name in ("rootfs.erofs", "initramfs.cpio", "vmlinuz", "manifest.json")}


@pytest.mark.timeout(2 * BUILD_LIMIT + 60)
def test_two_builds_from_nothing_are_equal(tmp_path):
    first, second = build(tmp_path / "first"), build(tmp_path / "second")
    manifests = [json.loads((folder / "manifest.json").read_bytes()) for folder in (first, second)]
    assert [manifest["created"] for manifest in manifests] == [EPOCH, EPOCH]
    assert manifests[0]["packages"] == manifests[1]["packages"], "the mirror has changed in between: the proof is for the same packages"
    assert contents(first) == contents(second)
    assert first.name == second.name
