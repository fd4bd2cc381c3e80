"""Who had the processors between two looks: processes by name, and everybody else."""
import os
import time

TICK = os.sysconf("SC_CLK_TCK")
# Of the line `cpu` in /proc/stat: user, nice, system, idle, iowait, irq, softirq, steal.
IDLE, IOWAIT, STEAL = 3, 4, 7


class Look:
    def __init__(self, pids):
        """`pids` is name → pid."""
        self._pids = pids
        self._time = time.monotonic()
        self._of = {name: ticks_of(pid) for name, pid in pids.items()}
        self._all = ticks_of_all()

    def until_now(self):
        """{name: processors' worth of time}, with "others" for all that have no name here."""
        now = Look(self._pids)
        ticks = {name: now._of[name] - self._of[name] for name in self._pids}
        ticks["others"] = max(0, now._all - self._all - sum(ticks.values()))
        span = (now._time - self._time) * TICK
        return {name: spent / span for name, spent in ticks.items()}


def ticks_of(pid):
    """User and system time of a process with all its threads, also those that have ended."""
    with open(f"/proc/{pid}/stat", "rb") as stat:
        fields = stat.read().rpartition(b")")[2].split()
    return int(fields[11]) + int(fields[12])


def ticks_of_all():
    """All that was not idle, and what a hypervisor below us gave to somebody else."""
    with open("/proc/stat", encoding="ascii") as stat:
        fields = [int(field) for field in stat.readline().split()[1:STEAL + 2]]
    return sum(fields) - fields[IDLE] - fields[IOWAIT]
