"""Runs the part of a build that needs root's rights over a file tree: in namespaces of its own.

An ordinary user becomes root of a user namespace, with the subordinate ids of /etc/subuid and
/etc/subgid. For root as for a user, mounts and processes are private: the tree lies on a tmpfs that
nobody else sees, and whatever way a build ends, the kernel removes mounts, processes and tree.
"""

import os
import pwd
import shutil
import signal
import subprocess

from failure import FAILED_PRECONDITION, INTERNAL, Failure, Reported

# Debian's users and groups of a base system lie below 65536.
_IDS_NEEDED = 65536
_ID_FILES = ("/etc/subuid", "/etc/subgid")


def run(command):
    """Runs `command` in fresh namespaces. It says why it fails; Reported then ends us alike."""
    # setpriv: a builder that is killed takes its processes with it. A session of its own: Ctrl-C
    # comes to us alone, and --kill-child ends all of them at once.
    argv = ["setpriv", "--pdeathsig", "KILL", *_unshare(), "--mount", "--pid", "--fork",
            "--kill-child", "--mount-proc", "--propagation", _propagation(), "--", *command]
    child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, start_new_session=True)
    try:
        code = child.wait()
    except BaseException:
        child.send_signal(signal.SIGKILL)
        child.wait()
        raise
    if code < 0 or code > 128:
        number = -code if code < 0 else code - 128
        raise Failure(INTERNAL, f"the build was ended by signal {number} ({_signal_name(number)})",
                      "see the kernel's log: perhaps memory ran out" if number == 9 else "")
    if code != 0:
        raise Reported(code)


def _propagation():
    """`private`; in a chroot whose root is no mount point, the kernel has nothing to make private."""
    with open("/proc/self/mountinfo", encoding="utf-8") as mounts:
        root_is_mount = any(line.split()[4] == "/" for line in mounts)
    return "private" if root_is_mount else "unchanged"


def _signal_name(number):
    try:
        return signal.Signals(number).name
    except ValueError:
        return "unknown"


def _unshare():
    if os.geteuid() == 0:
        return ["unshare"]
    require_subordinate_ids()
    require_user_namespaces()
    return ["unshare", "--map-root-user", "--map-auto"]


def require_user_namespaces():
    # Asked before: with --map-auto, an unshare that fails leaves a process behind that waits for ever.
    asked = subprocess.run(["unshare", "--map-root-user", "true"], stdin=subprocess.DEVNULL,
                           text=True, capture_output=True)
    if asked.returncode != 0:
        raise Failure(FAILED_PRECONDITION,
                      f"this user may make no user namespace ({asked.stderr.strip()})",
                      "let root allow them (sysctl kernel.unprivileged_userns_clone, "
                      "user.max_user_namespaces), or build as root; in a chroot the kernel refuses them")


def require_subordinate_ids():
    if shutil.which("newuidmap") is None:
        raise Failure(FAILED_PRECONDITION,
                      "newuidmap is missing, and without it only root can build an image",
                      "apt-get install uidmap")
    user = pwd.getpwuid(os.geteuid()).pw_name
    missing = [path for path in _ID_FILES if not _has_range(path, user)]
    if not missing:
        return
    lines = "; ".join(f"to {path} the line {user}:{_first_free(path)}:{_IDS_NEEDED}"
                      for path in missing)
    raise Failure(FAILED_PRECONDITION,
                  f"user {user} has no {_IDS_NEEDED} subordinate ids in {' and '.join(missing)}",
                  f"let root add {lines}")


def _ranges(path):
    try:
        with open(path, encoding="utf-8") as file:
            rows = [line.strip().split(":") for line in file]
    except FileNotFoundError:
        return []
    return [(row[0], int(row[1]), int(row[2])) for row in rows
            if len(row) == 3 and row[1].isdigit() and row[2].isdigit()]


def _has_range(path, user):
    return any(name in (user, str(os.geteuid())) and count >= _IDS_NEEDED
               for name, _, count in _ranges(path))


def _first_free(path):
    return max([100000] + [start + count for _, start, count in _ranges(path)])
