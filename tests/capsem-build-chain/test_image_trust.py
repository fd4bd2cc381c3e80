"""An image that is not exactly as it was signed does not boot, and the answer names the file."""
import os
import shutil

import pytest

from support import paths
from support.capsem_home import CapsemHome

pytestmark = pytest.mark.build_chain

FILES = ["vmlinuz", "initramfs.cpio", "rootfs.erofs", "manifest.json", "manifest.sig"]


@pytest.fixture
def spoilt_capsem():
    """A service with an image of its own that a test may spoil, and keys of its own."""
    with CapsemHome(own_images=True) as running:
        for folder in ("images", "keys"):
            shutil.copytree(paths.SHARED_HOME / folder, f"{running.home}/{folder}", symlinks=True, dirs_exist_ok=True)
        yield running


@pytest.fixture
def own_image(spoilt_capsem):
    images = f"{spoilt_capsem.home}/images"
    return f"{images}/{os.readlink(f'{images}/base')}"


def flip_a_byte(path):
    os.chmod(path, 0o600)
    with open(path, "r+b") as file:
        middle = os.path.getsize(path) // 2
        file.seek(middle)
        byte = file.read(1)[0]
        file.seek(middle)
        file.write(bytes([byte ^ 1]))


@pytest.mark.parametrize("name", FILES)
def test_one_flipped_byte_refuses_and_names_the_file(spoilt_capsem, own_image, name):
    flip_a_byte(f"{own_image}/{name}")
    result = spoilt_capsem.run("run", "--", "true")
    assert result.code == 125
    # A signature and what it signs cannot be told apart: either may have been changed.
    assert ("manifest" if name.startswith("manifest") else name) in result.err, result


def test_an_unsigned_image_does_not_boot(spoilt_capsem, own_image):
    os.unlink(f"{own_image}/manifest.sig")
    result = spoilt_capsem.run("run", "--", "true")
    assert result.code == 125
    assert "manifest.sig" in result.err


def test_an_image_signed_by_a_foreign_key_does_not_boot(spoilt_capsem, own_image):
    shutil.rmtree(f"{spoilt_capsem.home}/keys/trusted_keys.d")
    result = spoilt_capsem.run("run", "--", "true")
    assert result.code == 125
    assert "sign" in result.err or "key" in result.err


def test_an_untouched_copy_boots(spoilt_capsem, own_image):
    assert own_image
    assert spoilt_capsem.ok("run", "--", "echo", "boots").out == b"boots\n"


def test_image_list_and_inspect(spoilt_capsem):
    assert "base" in spoilt_capsem.ok("image", "list").text
    inspected = spoilt_capsem.ok("image", "inspect", "base", "--json").json
    assert {file["name"] for file in inspected["files"]} >= set(FILES[:3])
    assert spoilt_capsem.run("image", "inspect", "nothing").code == 3
