"""What the service itself costs: a list of many sessions, a create until it is answered (recorded, with a disk, and its
capsem-process started; its machine boots afterwards), and memory."""
import contextlib
import sqlite3
import statistics
import subprocess
import time

from support import paths, process_tree
from support.service import Service

RECORDED = 1000
LISTS = 500
CREATES = 20
LETTERS = str.maketrans("0123456789", "abcdefghij")  # ids have letters
LIST_P99_MS, CREATE_MS = 10.0, 10.0


def measure(_options):
    with Service() as service:
        return [creates(service), *memory(service), lists(service)]


def client(name):
    program = paths.BUILD / "tools/bench" / name
    subprocess.run(["/usr/bin/ninja", "-C", paths.BUILD, program.relative_to(paths.BUILD)], check=True, stdout=subprocess.DEVNULL)
    return program


def creates(service):
    """The first makes what later ones share (the empty disk, the machine's definition), and does not count."""
    took = []
    for _ in range(1 + CREATES):
        start = time.monotonic()
        session = service.api.create(memory_mib=256).id
        took.append(1e3 * (time.monotonic() - start))
        service.api.delete(session)
    median = statistics.median(took[1:])
    return {"name": "create until answered", "ours": f"{median:.2f} ms", "peer": "-", "goal": f"< {CREATE_MS:.0f} ms",
            "met": median < CREATE_MS, "notes": [f"median of {CREATES}; the first {took[0]:.0f} ms"]}


def memory(service):
    session = service.api.create(memory_mib=256)
    assert service.api.exec(session.id, "true").code == 0
    pids = {"capsem-service": service.pid, "capsem-process": service.api.get(session.id).process_pid}
    rows = []
    for name, pid in pids.items():
        parts = process_tree.memory_kib(pid)
        rows.append({"name": f"memory of {name}", "ours": f"{parts['Pss'] / 1024:.1f} MiB", "peer": "-", "goal": "printed",
                     "met": True, "notes": [f"proportional set size; resident {parts['Rss'] / 1024:.1f} MiB, "
                                            f"private {(parts['Private_Dirty'] + parts['Private_Clean']) / 1024:.1f} MiB"]})
    service.api.delete(session.id)
    return rows


def lists(service):
    """Sessions that are recorded as stopped and have never run: the service was told of them by its registry."""
    program = client("list-client")
    service.kill()
    with contextlib.closing(sqlite3.connect(f"{service.home}/registry.db")) as db, db:
        for number in range(RECORDED):
            db.execute("INSERT INTO sessions (id, name, kind, state, reason, image, image_digest, cpus, memory_mib, accelerator, "
                       "used, created_unix_ms) VALUES (?, ?, 'persistent', 'stopped', '', 'base', '', 1, 512, 'tcg', 0, ?)",
                       [f"bench{number:07d}".translate(LETTERS), f"box{number}", 1_700_000_000_000 + number])
    service.start()
    said = subprocess.run([program, service.socket, str(LISTS), str(RECORDED)], check=True, stdout=subprocess.PIPE).stdout
    took = sorted(int(line) / 1e3 for line in said.split())
    p99 = took[len(took) * 99 // 100]
    return {"name": f"list of {RECORDED} sessions, p99", "ours": f"{p99:.2f} ms", "peer": "-", "goal": f"< {LIST_P99_MS:.0f} ms",
            "met": p99 < LIST_P99_MS, "notes": [f"median {statistics.median(took):.2f} ms of {LISTS}"]}
