"""Bytes over the link, each way: one channel of the multiplexer against a plain vsock stream, in the same machine and
over the same device. At both ends of both is a generator or a counter: no pipe, no gRPC (guest-agent/testing/bulk_main.cpp
and capsem-process/bulk_peer.h). The clock is the guest's. And, with no peer, the same bytes through a command's stdout and
stdin, end to end: guest pipe, agent, link, capsem-process, service, gRPC client."""
import pathlib
import statistics
import time

from exec_round_trip import pieces
from support.service import Service

PROGRAM = pathlib.Path(__file__).resolve().parents[2] / "build/guest-agent/capsem-bulk"
MIB = 1 << 20
SIZE = 64 * MIB
ROUNDS = 7
BLOCK = bytes(128 * 1024)
GOAL = 0.8


def measure(_options):
    with Service(test_rpcs=True) as service:
        session = service.api.create().id
        put = service.api.exec(session, "cat > /tmp/bulk && chmod 755 /tmp/bulk", stdin=pieces(PROGRAM.read_bytes()))
        assert put.code == 0, put.stderr
        rows = [against_plain(service, session, way) for way in ("to-host", "to-guest")]
        down = [drain(service, session) for _ in range(3)]
        up = [feed(service, session) for _ in range(3)]
    return rows + [row("bulk guest → host, end to end", down), row("bulk host → guest, end to end", up)]


def against_plain(service, session, way):
    speeds = {"plain": [], "link": []}
    for index in range(ROUNDS):
        for how in sorted(speeds, reverse=index % 2 == 0):
            told = service.api.exec(session, "/tmp/bulk", how, way, str(SIZE))
            assert told.code == 0, told.stderr
            speeds[how].append(SIZE / int(told.stdout))  # bytes per microsecond
    link, plain = statistics.median(speeds["link"]), statistics.median(speeds["plain"])
    ratio = link / plain
    return {
        "name": f"link bulk {way.replace('-', ' ')}", "ours": f"{link:.1f} MB/s", "peer": f"{plain:.1f} MB/s",
        "goal": f"≥ {GOAL}× a plain stream", "ratio": ratio, "met": ratio >= GOAL,
        "notes": [f"ratio {ratio:.2f}; medians of {ROUNDS}, interleaved, {SIZE // MIB} MiB each; link "
                  f"{min(speeds['link']):.0f}-{max(speeds['link']):.0f}, plain {min(speeds['plain']):.0f}-{max(speeds['plain']):.0f}"],
    }


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
