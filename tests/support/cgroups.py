"""cgroup v2 of this host: the folder that a process is in, and one that is delegated as systemd does it."""
import contextlib
import os
import pathlib

from support.eventually import eventually

CONTROLLERS = ["memory", "pids", "cpu"]
# Where a service puts itself below a folder that is delegated to it.
SERVICE = "service"


def folder_of(pid="self"):
    """None: this host has none, or shows none."""
    path = [line[3:] for line in pathlib.Path(f"/proc/{pid}/cgroup").read_text().splitlines() if line.startswith("0::")]
    for mount in pathlib.Path("/proc/self/mountinfo").read_text().splitlines():
        words = mount.split()
        if path and words[words.index("-") + 1] == "cgroup2" and words[3] == "/":
            return pathlib.Path(words[4] + path[0].rstrip("/"))
    return None


def groups_below(folder):
    return sorted(entry.name for entry in folder.iterdir() if entry.is_dir())


def remove(folder):
    """With all groups below; as systemd removes a unit's that has ended."""
    for name in groups_below(folder):
        remove(folder / name)
    eventually(f"nobody lives in {folder}", 10, lambda: "populated 0" in (folder / "cgroup.events").read_text())
    folder.rmdir()


@contextlib.contextmanager
def delegated(name):
    """A folder below our own that carries systemd's mark; None where we may make none."""
    own = folder_of()
    folder = own and own / f"capsem-{name}-{os.getpid()}"
    try:
        folder.mkdir()
    except (OSError, AttributeError):
        yield None
        return
    try:
        os.setxattr(folder, "user.delegate", b"1")
        yield folder
    finally:
        remove(folder)


def entering(folder):
    """Words in front of a program that put it into the folder first."""
    return ["/bin/sh", "-c", 'echo $$ > "$0" && exec "$@"', str(folder / "cgroup.procs")]
