"""The image's folder and its manifest: what is there, for whom, and that all of it is listed."""
import hashlib
import json
import os
import stat

import pytest

from support import paths

pytestmark = pytest.mark.rootfs

BOOT_FILES = {"vmlinuz", "initramfs.cpio", "rootfs.erofs"}
IMAGE = paths.SHARED_HOME / "images/base"


@pytest.fixture(scope="module")
def manifest():
    return json.loads((IMAGE / "manifest.json").read_bytes())


def sha256(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@pytest.mark.smoke
def test_an_image_is_five_files_that_its_owner_may_read_and_nobody_may_write():
    assert set(os.listdir(IMAGE)) == BOOT_FILES | {"manifest.json", "manifest.sig"}
    assert stat.S_IMODE(os.stat(IMAGE).st_mode) == 0o700
    for name in os.listdir(IMAGE):
        status = os.lstat(IMAGE / name)
        assert (name, oct(status.st_mode)) == (name, oct(stat.S_IFREG | 0o400))
        assert status.st_uid == os.geteuid()


def test_its_name_leads_to_the_sha256_of_its_manifest():
    assert os.readlink(IMAGE) == sha256(IMAGE / "manifest.json")


def test_every_file_is_listed_with_its_sum_and_size(manifest):
    assert {entry["name"] for entry in manifest["files"]} == BOOT_FILES
    assert len(manifest["files"]) == len(BOOT_FILES)
    for entry in manifest["files"]:
        path = IMAGE / entry["name"]
        assert entry == {"name": entry["name"], "sha256": sha256(path), "size": path.stat().st_size}


def test_inspect_tells_the_same(capsem, manifest):
    told = capsem.ok("image", "inspect", "base", "--json").json
    assert told["digest"] == sha256(IMAGE / "manifest.json")
    assert told["kernel_release"] == manifest["kernel_release"]
    assert told["packages"] == manifest["packages"]
    assert [(file["name"], file["sha256"]) for file in told["files"]] == [
        (file["name"], file["sha256"]) for file in manifest["files"]]
