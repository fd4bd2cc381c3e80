"""Bytes through a command's stdout and stdin over the link, each way, end to end (guest pipe, agent, multiplexer, device,
capsem-process, service, gRPC client)."""
import statistics
import time

from support.service import Service

MIB = 1 << 20
SIZE = 64 * MIB
BLOCK = bytes(128 * 1024)


def measure(_options):
    with Service() as service:
        session = service.api.create().id
        service.api.exec(session, "true")
        down = [drain(service, session) for _ in range(3)]
        up = [feed(service, session) for _ in range(3)]
    return [row("bulk guest → host, end to end", down), row("bulk host → guest, end to end", up)]


def row(name, speeds):
    return {"name": name, "ours": f"{statistics.median(speeds):.1f} MB/s", "peer": "-", "goal": "printed", "met": True}


def drain(service, session):
    start, size = time.monotonic(), 0
    for event in service.api.start(session, "dd", "if=/dev/zero", "bs=64k", f"count={SIZE // 65536}", "status=none"):
        size += len(event.stdout)
    assert size == SIZE, size
    return SIZE / 1e6 / (time.monotonic() - start)


def feed(service, session):
    start = time.monotonic()
    done = service.api.exec(session, "dd", "of=/dev/null", "bs=64k", "status=none", stdin=[BLOCK] * (SIZE // len(BLOCK)))
    assert done.code == 0, done.stderr
    return SIZE / 1e6 / (time.monotonic() - start)
