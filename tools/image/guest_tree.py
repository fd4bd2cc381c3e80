"""The guest's tree between mmdebstrap and mkfs.erofs: completed, disarmed, made reproducible."""

import os
import shutil
import stat
import subprocess

import definition

# The agent writes its own over these at boot. Empty: nothing of the host shows, lookups fail fast.
_EMPTY_FILES = ("etc/machine-id", "etc/resolv.conf")
_FILES = {
    "etc/hostname": "capsem\n",
    "etc/hosts": "127.0.0.1 localhost capsem\n::1 localhost ip6-localhost ip6-loopback\n",
    # bash has a word of its own for it, which is about the shell.
    "etc/profile.d/suspend.sh": '[ -z "$BASH_VERSION" ] || enable -n suspend\n',
}
_FOLDERS = {"workspace": 0o755}
# Where the agent mounts them read-only; their folder of the checkout has the same layout.
_PROGRAMS = "opt/capsem"
# How people end a machine: one program by several names.
_POWER_NAMES = ("poweroff", "halt", "reboot", "shutdown", "suspend")

# Mount points and scratch folders: nothing lies in them. Logs, caches and lists: the folders stay,
# for programs count on them.
_EMPTIED = ("dev", "proc", "sys", "run", "tmp", "var/tmp", "boot", "var/cache/debconf")
_WITHOUT_FILES = ("var/log", "var/cache", "var/lib/apt/lists")
# Locks, backups, and what differs between two builds.
_REMOVED = ("etc/.pwd.lock", "etc/passwd-", "etc/group-", "etc/shadow-", "etc/gshadow-",
            "etc/subuid-", "etc/subgid-",
            "etc/apt/apt.conf.d/99mmdebstrap", "etc/dpkg/dpkg.cfg.d/99mmdebstrap",
            "var/lib/dpkg/status-old", "var/lib/dpkg/diversions-old",
            "var/lib/dpkg/statoverride-old", "var/lib/dpkg/lock", "var/lib/dpkg/lock-frontend",
            "var/lib/dpkg/triggers/Lock", "var/lib/apt/extended_states",
            "var/lib/dbus/machine-id", "var/lib/systemd/random-seed")


def packages(tree):
    """[name, version] of every installed package."""
    output = subprocess.run(["dpkg-query", f"--admindir={tree}/var/lib/dpkg", "-W",
                             "-f", "${Package}\t${Version}\n"],
                            check=True, text=True, stdout=subprocess.PIPE).stdout
    return [line.split("\t") for line in output.splitlines()]


def finish(tree, epoch, programs):
    _add_user(tree, epoch)
    _add_programs(tree, programs)
    for name in _EMPTIED:
        _empty(f"{tree}/{name}")
    for name in _WITHOUT_FILES:
        _remove_files(f"{tree}/{name}")
    for name in _REMOVED:
        if os.path.lexists(f"{tree}/{name}"):
            os.unlink(f"{tree}/{name}")
    for name, mode in _FOLDERS.items():
        os.makedirs(f"{tree}/{name}", exist_ok=True)
        os.chmod(f"{tree}/{name}", mode)
    for name in _EMPTY_FILES:
        _write(f"{tree}/{name}", "")
    for name, text in _FILES.items():
        _write(f"{tree}/{name}", text)
    _strip(tree)


def _add_user(tree, epoch):
    # useradd writes the day of the last password change: SOURCE_DATE_EPOCH makes it a fixed one.
    env = {"PATH": "/usr/sbin:/usr/bin", "SOURCE_DATE_EPOCH": str(epoch)}
    subprocess.run(["chroot", tree, "useradd", "--create-home", "--shell", "/bin/bash",
                    "--uid", str(definition.GUEST_UID), definition.GUEST_USER], env=env, check=True)


def _add_programs(tree, programs):
    target = f"{tree}/{_PROGRAMS}"
    shutil.copytree(programs, target, ignore=shutil.ignore_patterns("__pycache__"))
    for folder, _, files in os.walk(target):
        os.chmod(folder, 0o555)
        for name in files:
            os.chmod(f"{folder}/{name}", 0o555 if folder == f"{target}/bin" else 0o444)
    for name in _POWER_NAMES:
        path = f"{tree}/usr/sbin/{name}"
        if os.path.lexists(path):
            os.unlink(path)
        os.symlink(f"/{_PROGRAMS}/bin/capsem-power", path)


def _write(path, text):
    if os.path.islink(path):
        os.unlink(path)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(path, 0o644)


def _empty(folder):
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path)
            else:
                os.unlink(entry.path)


def _remove_files(folder):
    for parent, _, files in os.walk(folder):
        for name in files:
            os.unlink(f"{parent}/{name}")


def _strip(tree):
    """No set-uid and no set-gid bit stays: nobody here needs one, and each is a door to root."""
    for folder, folders, files in os.walk(tree):
        for name in folders + files:
            path = f"{folder}/{name}"
            mode = os.lstat(path).st_mode
            if not stat.S_ISLNK(mode) and mode & (stat.S_ISUID | stat.S_ISGID):
                os.chmod(path, stat.S_IMODE(mode) & ~(stat.S_ISUID | stat.S_ISGID))
