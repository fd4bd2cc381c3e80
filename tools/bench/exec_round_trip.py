"""An exec through the API on a running machine (exec_client.cpp), against fork + execve + waitpid by a C program in the
same machine (exec_timer.c), each alone and 10 ms after the one before; the difference of the medians is what Capsem
adds."""
import pathlib
import statistics
import subprocess
import tempfile

from support import paths
from support.service import Service

HERE = pathlib.Path(__file__).resolve().parent
ROUNDS, PER_ROUND = 20, 10
MUST_MS, AIM_MS = 4.0, 1.0


def pieces(data, size=128 * 1024):
    """One input of Exec holds 256 KiB of stdin at most."""
    return [data[at:at + size] for at in range(0, len(data), size)]


def measure(_options):
    with tempfile.TemporaryDirectory(prefix="bench") as scratch, Service() as service:
        timer = pathlib.Path(scratch) / "exec_timer"
        subprocess.run(["gcc", "-static", "-O2", "-o", timer, HERE / "exec_timer.c"], check=True)
        session = service.api.create().id
        client = paths.BUILD / "tools/bench/exec-client"
        subprocess.run(["/usr/bin/ninja", "-C", paths.BUILD, client.relative_to(paths.BUILD)], check=True, stdout=subprocess.DEVNULL)
        put = service.api.exec(session, "cat > /tmp/exec_timer && chmod 755 /tmp/exec_timer", stdin=pieces(timer.read_bytes()))
        assert put.code == 0, put.stderr
        ours, floor = [], []
        for _ in range(ROUNDS):
            execs = [client, service.socket, session, str(PER_ROUND), "/bin/true", "x"]
            ours += [int(line) / 1e3 for line in subprocess.run(execs, check=True, stdout=subprocess.PIPE).stdout.split()]
            told = service.api.exec(session, "/tmp/exec_timer", str(PER_ROUND), "/bin/true", "x")
            floor += [int(line) / 1e3 for line in told.stdout.split()]
    mine, peer = statistics.median(ours), statistics.median(floor)
    return [{
        "name": "exec round trip, /bin/true", "ours": f"{mine:.2f} ms", "peer": f"{peer:.2f} ms",
        "goal": f"peer + {MUST_MS} ms, aim {AIM_MS}", "difference_ms": mine - peer, "met": mine - peer <= MUST_MS,
        "notes": [f"difference {mine - peer:.2f} ms, medians of {len(ours)} and {len(floor)}, interleaved"],
    }]
