"""Who runs, who is whose child, who belongs to a service under test: all from /proc, as an operator would look."""
import contextlib
import dataclasses
import os


@dataclasses.dataclass(frozen=True)
class Process:
    pid: int
    parent: int
    state: str        # "Z" = ended and not yet reaped
    start_time: int   # clock ticks since boot: with the pid, who it is
    name: str         # of its program, without the folder

    @property
    def command_line(self):
        return _read(self.pid, "cmdline").split(b"\0")[:-1]

    @property
    def environment(self):
        """Of its start, as a dict of bytes."""
        entries = _read(self.pid, "environ").split(b"\0")
        return dict(entry.split(b"=", 1) for entry in entries if b"=" in entry)

    @property
    def folder(self):
        return _link(self.pid, "cwd")

    @property
    def status(self):
        """/proc/PID/status as a dict of texts."""
        lines = _read(self.pid, "status").decode(errors="replace").splitlines()
        return dict(line.split(":\t", 1) for line in lines if ":\t" in line)

    @property
    def open_files(self):
        """descriptor → what it leads to."""
        try:
            numbers = os.listdir(f"/proc/{self.pid}/fd")
        except OSError:
            return {}
        return {int(number): _link(self.pid, f"fd/{number}") for number in numbers}

    @property
    def threads(self):
        """Their names. One that ends while we look is left out."""
        names = [_read(self.pid, f"task/{task}/comm").decode().strip() for task in os.listdir(f"/proc/{self.pid}/task")]
        return [name for name in names if name]

    def is_alive(self):
        now = find(self.pid)
        return now is not None and now.start_time == self.start_time and now.state != "Z"


def _read(pid, name):
    try:
        with open(f"/proc/{pid}/{name}", "rb") as file:
            return file.read()
    except OSError:
        return b""


def _link(pid, name):
    try:
        return os.readlink(f"/proc/{pid}/{name}")
    except OSError:
        return ""


def find(pid):
    """The process of this pid, or None."""
    before, _, after = _read(pid, "stat").rpartition(b")")
    fields = after.split()
    if len(fields) < 20:
        return None
    program = os.path.basename(_link(pid, "exe").removesuffix(" (deleted)")) or before.partition(b"(")[2].decode()
    return Process(pid, int(fields[1]), fields[0].decode(), int(fields[19]), program)


def everybody():
    found = (find(int(entry)) for entry in os.listdir("/proc") if entry.isdigit())
    return [process for process in found if process is not None]


def children_of(pid):
    return [process for process in everybody() if process.parent == pid and process.state != "Z"]


def descendants_of(pid):
    """Children, their children, and so on; without `pid` itself."""
    processes = [process for process in everybody() if process.state != "Z"]
    found, look_at = [], [pid]
    while look_at:
        parent = look_at.pop()
        below = [process for process in processes if process.parent == parent]
        found += below
        look_at += [process.pid for process in below]
    return found


def belonging_to(home):
    """Processes that work in this state folder: by cwd, argument, environment or open file. Ended ones do not count."""
    home = os.path.realpath(home)

    def is_inside(path):
        return path == home or path.startswith(home + "/")

    def belongs(process):
        if process.state == "Z" or process.pid == os.getpid():
            return False
        return (is_inside(process.folder) or home.encode() in _read(process.pid, "cmdline")
                or process.environment.get(b"CAPSEM_HOME") == home.encode()
                or any(is_inside(target) for target in process.open_files.values()))

    return [process for process in everybody() if belongs(process)]


def memory_kib(pid):
    """/proc/PID/smaps_rollup as a dict of KiB: Rss, Pss, Private_Dirty and so on."""
    lines = _read(pid, "smaps_rollup").decode().splitlines()[1:]
    return {name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines)}


def start_peak(pid):
    """From now on `peak` is of now."""
    with open(f"/proc/{pid}/clear_refs", "w", encoding="ascii") as file:
        file.write("5")


def peak(pid):
    """Bytes: the most that was resident since `start_peak`."""
    return int(find(pid).status["VmHWM"].split()[0]) * 1024


@contextlib.contextmanager
def flat_memory(pids, most):
    """None of them grows by more than so many bytes meanwhile, at any time."""
    before = {}
    for pid in pids:
        start_peak(pid)
        before[pid] = peak(pid)
    yield
    grown = {f"{pid} {find(pid).name}": peak(pid) - before[pid] for pid in pids}
    assert max(grown.values()) < most, grown
