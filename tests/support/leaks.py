"""What a crash may leave behind, in twelve classes: each looks for itself, in /proc, in the folder and in the registry.

    resting = leaks.holdings(home)       # when nothing of it is in motion
    …
    leaks.assert_none(home, resting)

Only what is known to belong there is no leak: a file of an unknown name is one, whoever has made it.
"""
import collections
import contextlib
import dataclasses
import os
import re
import sqlite3
import stat

from support import process_tree
from support.eventually import eventually

# Seconds. What is killed with its service or its machine ends at once, and its connections after it: on two cores that
# have other work, that takes a while.
LIMIT = 30

SESSION_ID = "[a-z2-7]{12}"
# Of machines that live: capsem-process has these, QEMU what it was given of them.
MACHINE = ("capsem-process", "qemu-system-x86_64")
# What the service holds of each machine that lives, by kind: two pidfds, a connection.
OF_A_MACHINE = {"anon_inode:[pidfd]": 2, "socket:": 1}
# gRPC keeps the eventfds of as many pollers as it once had at the same time; how many more that may be than at rest.
KEPT_BY_GRPC = {"anon_inode:[eventfd]": 4}
FOLDERS = re.compile(rf"run|sessions|cache(/argv|/libvirt(/.*)?)?|sessions/{SESSION_ID}(/guest)?")
FILES = re.compile(r"run/(service|gateway)\.lock|run/service\.start|run/gateway\.(port|token)|(service|gateway)\.log(\.1)?"
                   r"|registry\.db(-wal|-shm)?|config\.toml"
                   r"|cache/(kvm\.json|verdicts|verdicts-programs|empty_disk_\d+\.img|image_build\.lock|argv/[^.]+(\.json)?|libvirt/.*)"
                   rf"|sessions/{SESSION_ID}/(disk\.img|(process|serial)\.log(\.1)?|domain\.xml|link\.state|last_word)")


@dataclasses.dataclass
class Sight:
    """All of one look."""
    home: str
    service: object         # its Process; None: there is none
    gateway: object
    ours: list              # every process that works in the home
    sessions: dict          # id → as `capsem list --json` says
    rows: dict              # id → (process_pid,)
    folders: set            # ids
    paths: dict             # path below the home → mode
    resting: collections.Counter

    @property
    def live_pids(self):
        return {one[which] for one in self.sessions.values() for which in ("process_pid", "machine_pid") if one.get(which)}

    def of(self, session):
        """The processes of one session."""
        return [one for one in self.ours if one.pid in (session.get("process_pid"), session.get("machine_pid"))]


def look(home, resting=None):
    sessions = {one["id"]: one for one in home.ok("list", "--json").json}
    service = process_tree.find(home.service_pid())
    # A tracer of the kill campaign is the tests' own.
    ours = [one for one in process_tree.belonging_to(home.home) if one.name != "strace"]
    gateway = next((one for one in ours if one.name == "capsem-gateway" and one.parent == service.pid), None)
    with contextlib.closing(sqlite3.connect(f"file:{home.home}/registry.db?mode=ro", uri=True)) as registry:
        rows = {row[0]: row[1:] for row in registry.execute("SELECT id, process_pid FROM sessions")}
    return Sight(home.home, service, gateway, ours, sessions, rows, set(os.listdir(f"{home.home}/sessions")),
                 home.files(), collections.Counter() if resting is None else resting)


def processes(sight):
    known = sight.live_pids | {sight.service.pid} | ({sight.gateway.pid} if sight.gateway else set())
    return [f"{one.pid} {one.name}, child of {one.parent}" for one in sight.ours if one.pid not in known]


def zombies(sight):
    parents = {one.pid for one in sight.ours}
    return [f"{one.pid} {one.name}, child of {one.parent}" for one in process_tree.everybody()
            if one.state == "Z" and one.parent in parents]


def sockets(sight):
    expected = {"run/service.sock"} | {f"sessions/{session}/process.sock" for session, one in sight.sessions.items()
                                       if sight.of(one)}
    found = {path for path, mode in sight.paths.items() if stat.S_ISSOCK(mode)}
    with open("/proc/net/unix", encoding="utf-8") as table:
        names = {line.rstrip("\n").partition(" /")[2] for line in table}
    bound = {f"/{name}".removeprefix(f"{sight.home}/") for name in names if f"/{name}".startswith(f"{sight.home}/")}
    # They are bound under another name, which they keep in this table (rpc/endpoint).
    return sorted(found - expected) + [f"{path} is bound, and no file" for path in sorted(bound - found)
                                       if path.removesuffix("~") not in found]


def holdings(home):
    """What the service and its gateway hold now, by kind: what `fds` compares with."""
    return _held(look(home))


def _held(sight):
    """Kinds of open files, without those that are there because a machine is."""
    def kind(target):
        # Which socket, which process and which session it is differs from look to look.
        return re.sub(r"\[\d+\]|(?<=/)\d+(?=/)", "", re.sub(SESSION_ID, "ID", target.replace(sight.home, "")))

    held = collections.Counter((one.name, kind(target)) for one in (sight.service, sight.gateway) if one
                               for target in one.open_files.values() if "memfd:" not in target)
    machines = sum(bool(one.get("process_pid")) for one in sight.sessions.values())
    held.subtract({("capsem-service", kind): count * machines for kind, count in OF_A_MACHINE.items()})
    return held


def fds(sight):
    """More than at rest; and what was removed and is still open, whoever has it."""
    held = _held(sight) if sight.resting else {}
    more = [f"{name} has {count} × {kind} more than at rest" for (name, kind), now in held.items()
            if (count := now - sight.resting[name, kind]) > KEPT_BY_GRPC.get(kind, 0)]
    removed = [f"{one.pid} {one.name} has {target}" for one in sight.ours for target in one.open_files.values()
               if target.startswith(f"{sight.home}/") and target.endswith(" (deleted)")]
    return more + removed


def memfds(sight):
    """The memory of a guest is its machine's alone, and the launch specification is read and closed."""
    return [f"{one.pid} {one.name} has {target}" for one in sight.ours for target in one.open_files.values()
            if "memfd:" in target and not (one.name in MACHINE and one.pid in sight.live_pids and "launch-spec" not in target)]


def folders(sight):
    return [path for path, mode in sight.paths.items() if stat.S_ISDIR(mode) and not FOLDERS.fullmatch(path)]


def temporary_files(sight):
    return [path for path, mode in sight.paths.items()
            if not stat.S_ISDIR(mode) and not stat.S_ISSOCK(mode) and not FILES.fullmatch(path)]


def locks(sight):
    """Each is its owner's: the service has its own and the registry's, the gateway its own, a machine its disk's."""
    inodes = {}
    for path in sight.paths:
        with contextlib.suppress(FileNotFoundError):
            found = os.lstat(f"{sight.home}/{path}")
            inodes[f"{os.major(found.st_dev):02x}:{os.minor(found.st_dev):02x}:{found.st_ino}"] = path
    found = []
    with open("/proc/locks", encoding="utf-8") as table:
        for line in table:
            words = line.replace("-> ", "").split()
            path = inodes.get(words[5])
            if path and not _owns(sight, path, int(words[4])):
                found.append(f"{path}: {words[1]} {words[3]} of {words[4]}")
    return found


def _owns(sight, path, pid):
    if path == "run/service.lock" or path.startswith("registry.db"):
        return pid == sight.service.pid
    if path == "run/gateway.lock":
        return sight.gateway is not None and pid == sight.gateway.pid
    # -1: a lock of an open file, not of a process; QEMU's locks of a disk are that.
    session = re.fullmatch(rf"sessions/({SESSION_ID})/disk\.img", path)
    return session is not None and bool(sight.of(sight.sessions.get(session[1], {}))) and pid in {-1, *sight.live_pids}


def mounts(sight):
    """In our own mount namespace and in that of each of its processes."""
    found, seen = set(), set()
    for pid in ("self", *(one.pid for one in sight.ours)):
        with contextlib.suppress(OSError):
            namespace = os.readlink(f"/proc/{pid}/ns/mnt")
            if namespace not in seen:
                seen.add(namespace)
                with open(f"/proc/{pid}/mounts", encoding="utf-8") as table:
                    found |= {line.strip() for line in table if f" {sight.home}" in line}
    return sorted(found)


def rows_without_folders(sight):
    return sorted(set(sight.rows) - sight.folders)


def folders_without_rows(sight):
    return sorted(sight.folders - set(sight.rows))


def pid_files(sight):
    """What says which process somebody is, says it of one that lives: locks with a pid, the gateway's files, rows."""
    found = []
    for name, owner in (("service", sight.service), ("gateway", sight.gateway)):
        with contextlib.suppress(FileNotFoundError), open(f"{sight.home}/run/{name}.lock", encoding="utf-8") as file:
            said = file.read().split()
            if not said or not owner or int(said[0]) != owner.pid:
                found.append(f"run/{name}.lock says {said}")
    found += [path for path in sight.paths if path.startswith("run/gateway.") and not path.endswith(".lock") and not sight.gateway]
    # libvirt's own, which it locks while it runs, stays when that is killed in the midst: whoever comes next takes it.
    found += [path for path in sight.paths if path.endswith(".pid") and not path.startswith("cache/libvirt/")]
    for session, (pid,) in sight.rows.items():
        if pid and pid != sight.sessions.get(session, {}).get("process_pid"):
            found.append(f"the row of {session} says {pid}")
    return found


CLASSES = (processes, zombies, sockets, fds, memfds, folders, temporary_files, locks, mounts, rows_without_folders,
           folders_without_rows, pid_files)


def find(home, resting=None):
    """{class: what was found}, of those that found something."""
    sight = look(home, resting)
    return {each.__name__: found for each in CLASSES if (found := each(sight))}


def assert_none(home, resting=None, limit=LIMIT):
    """Soon; what a killed process had goes with it, but not in the same moment."""
    last = {}

    def clean():
        last["found"] = find(home, resting)
        return not last["found"]

    try:
        eventually("nothing is left behind", limit, clean)
    except AssertionError:
        raise AssertionError(f"left behind: {last['found']}") from None
