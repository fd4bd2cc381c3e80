"""Puts an image together from a cached root and an agent, signs it, and makes it appear at once.

<state>/images/<digest>/ holds vmlinuz, initramfs.cpio, rootfs.erofs, manifest.json, manifest.sig;
the digest is the manifest's. <state>/images/<name> is a symbolic link to it.
"""

import filecmp
import hashlib
import os
import shutil

import agent_program
import initramfs
import manifest
from state_folder import publish

_BOOT_FILES = ("vmlinuz", "initramfs.cpio", "rootfs.erofs")


def make(state, signer, root, agent, name):
    """Answers the digest."""
    with state.new_folder(state.images) as scratch:
        program = agent_program.read(agent, scratch)
        new = f"{scratch}/image"
        os.mkdir(new)
        for file in ("vmlinuz", "rootfs.erofs"):
            _share(f"{root.folder}/{file}", f"{new}/{file}")
        with open(f"{new}/initramfs.cpio", "wb") as file:
            initramfs.write(file, program, f"{root.folder}/modules", root.epoch)
        files = [manifest.file_entry(new, file, root.sums.get(file)) for file in _BOOT_FILES]
        text = manifest.image(name, root, files)
        _write(f"{new}/manifest.json", text)
        _write(f"{new}/manifest.sig", signer.sign(f"{new}/manifest.json").encode("ascii"))
        digest = hashlib.sha256(text).hexdigest()
        target = f"{state.images}/{digest}"
        if not _same(new, target):
            publish(new, target, scratch)
    state.point(name, digest)
    return digest


def _share(source, target):
    """By hard link: the root file system is by far the most of an image, and never written to."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
        os.chmod(target, 0o400)


def _write(path, data):
    with open(path, "wb") as file:
        file.write(data)


def _same(new, target):
    return os.path.isdir(target) and all(
        os.path.exists(f"{target}/{name}")
        and (os.path.samefile(f"{new}/{name}", f"{target}/{name}")
             or filecmp.cmp(f"{new}/{name}", f"{target}/{name}", shallow=False))
        for name in os.listdir(new))
