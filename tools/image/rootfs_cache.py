"""Root file systems by content: what goes in is hashed, and the same input is never built twice.

An entry is a folder <state>/cache/rootfs/<key>/: rootfs.erofs, vmlinuz, modules/, stage.json. Its
big files are shared with images by hard link: an entry is only used when it is as it was built.
"""

import hashlib
import json
import os
import shutil
import subprocess

import definition
import namespace
import sources
from failure import FAILED_PRECONDITION, INTERNAL, RESOURCE_EXHAUSTED, Failure
from manifest import sha256
from state_folder import publish

# All that a build calls, and the Debian package it is in.
_TOOLS = {
    "apt-get": "apt",
    "chroot": "coreutils",
    "dpkg-deb": "dpkg",
    "mkfs.erofs": "erofs-utils",
    "mmdebstrap": "mmdebstrap",
    "mount": "mount",
    "openssl": "openssl",
    "setpriv": "util-linux",
    "strip": "binutils",
    "unshare": "util-linux",
}
_SCRIPTS = ("definition", "rootfs_stage", "fetch_kernel", "guest_tree", "kernel_modules")
# rootfs.erofs, vmlinuz, the modules and an initramfs, with a little air.
_DISK_NEEDED_MIB = 250
_HERE = os.path.dirname(os.path.abspath(__file__))
# What the guest has in /opt/capsem.
_PROGRAMS = os.path.normpath(f"{_HERE}/../../guest-programs")


class Root:
    """A cached root file system; its packages are (name, version)."""

    def __init__(self, folder):
        with open(f"{folder}/stage.json", encoding="utf-8") as file:
            stage = json.load(file)
        self.folder = folder
        self.epoch = stage["epoch"]
        self.kernel_release = stage["kernel_release"]
        self.packages = stage["packages"]
        self.sums = stage["sums"]


def require_tools():
    """Says which Debian packages are missing. Programs of root are found for every user."""
    os.environ["PATH"] = os.environ.get("PATH", "") + ":/usr/sbin:/usr/bin:/sbin:/bin"
    missing = [tool for tool in _TOOLS if shutil.which(tool) is None]
    if missing:
        packages = " ".join(sorted({_TOOLS[tool] for tool in missing}))
        raise Failure(FAILED_PRECONDITION, f"missing on this host: {', '.join(missing)}",
                      f"apt-get install {packages}")


def find_or_build(state, epoch, progress, refresh):
    order = {"epoch": epoch, "architecture": _architecture()}
    folder = f"{state.roots}/{_key(order)}"
    root = None if refresh else usable(folder, progress)
    if root is None:
        _require_space(state.roots)
        _build(state, folder, dict(order, quiet=progress.quiet, programs=_PROGRAMS,
                                   sources=sources.read(),
                                   apt_settings=sources.apt_settings()))
        root = usable(folder, progress)
    if root is None:
        raise Failure(INTERNAL, f"{folder} changed right after it was built",
                      "see the kernel's log for errors of the disk")
    os.utime(folder)
    state.forget_old_roots()
    return root


def _architecture():
    return subprocess.run(["dpkg", "--print-architecture"], check=True, text=True,
                          stdout=subprocess.PIPE).stdout.strip()


def _key(order):
    """The work order, the scripts that carry it out, and the guest's programs. Which mirror serves it is no part of
    it."""
    total = hashlib.sha256(json.dumps(order, sort_keys=True).encode())
    for name in _SCRIPTS:
        total.update(bytes.fromhex(sha256(f"{_HERE}/{name}.py")))
    for folder, folders, files in os.walk(_PROGRAMS):
        folders[:] = sorted(name for name in folders if name != "__pycache__")
        for name in sorted(files):
            path = f"{folder}/{name}"
            total.update(os.path.relpath(path, _PROGRAMS).encode() + b"\0" + bytes.fromhex(sha256(path)))
    return total.hexdigest()[:32]


def usable(folder, progress):
    try:
        root = Root(folder)
        changed = [name for name, expected in root.sums.items()
                   if sha256(f"{folder}/{name}") != expected]
    except FileNotFoundError:
        return None
    except (KeyError, ValueError):
        changed = ["stage.json"]
    if changed:
        progress.say(f"{folder}/{changed[0]} was changed since it was built: building it anew")
        return None
    return root


def _require_space(folder):
    status = os.statvfs(folder)
    free = status.f_bavail * status.f_frsize // 2**20
    if free < _DISK_NEEDED_MIB:
        raise Failure(RESOURCE_EXHAUSTED,
                      f"no space left on device: an image takes {_DISK_NEEDED_MIB} MiB, and in "
                      f"{folder} {free} MiB are free",
                      "free some space there, or choose another folder with CAPSEM_HOME or --state")


def _build(state, folder, order):
    with state.new_folder(state.roots) as scratch:
        new = f"{scratch}/root"
        os.mkdir(new)
        os.environ["CAPSEM_STAGE"] = json.dumps(order)
        namespace.run(["/usr/bin/python3", f"{_HERE}/rootfs_stage.py", new, scratch])
        names = ["rootfs.erofs", "vmlinuz",
                 *(f"modules/{name}" for name in sorted(os.listdir(f"{new}/modules")))]
        with open(f"{new}/stage.json", encoding="utf-8") as file:
            stage = json.load(file)
        stage.update(epoch=order["epoch"], sums={name: sha256(f"{new}/{name}") for name in names})
        with open(f"{new}/stage.json", "w", encoding="utf-8") as file:
            json.dump(stage, file)
        publish(new, folder, scratch)
