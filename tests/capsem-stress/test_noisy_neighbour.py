"""A machine that floods its console, its link, its channels or its disk is no worse a neighbour than one that spins.

So is one of which a client asks for one exec after the other; but there are two such clients then, and each gets half.

What is measured are execs in another machine, beside a flood and beside a spin of the noisy one, in turns. Only ratios of
one run count. The short form asks that all are answered; how fast is asked of the long form.
"""
import os
import statistics
import time

import pytest

from support import floods, processor_time, rpc
from support.capsem_home import CapsemHome

pytestmark = pytest.mark.stress

FLOODS = ["console", "link", "channel", "execs", "disk"]
# The flood's against the spin's: p50, p99.
MOST = {flood: (1.2, 2.0) for flood in FLOODS} | {"execs": (2.0, 2.0)}
# Processors that anybody but the machines, Capsem and its clients may have on average; above, those were measured, too.
MOST_OTHERS = 0.1
# Execs in a row: a second or two, short against how the machine below us drifts.
EXECS = 50
ROUNDS = 12


class Neighbours:
    def __init__(self, capsem):
        self.capsem = capsem
        self.noisy, self.quiet = (capsem.create("--cpus", "1", "--memory", "256") for _ in range(2))
        for session in (self.noisy, self.quiet):
            assert capsem.exec(session, "true").code == 0
        self.pids = {"service": capsem.service_pid(), "test": os.getpid()}
        for name, session in (("noisy", self.noisy), ("quiet", self.quiet)):
            info = capsem.info(session)
            self.pids |= {f"{name} process": info["process_pid"], f"{name} QEMU": info["machine_pid"]}

    def beside(self, name, count):
        """The Beside of so many execs in the quiet machine while the noisy one does what is named."""
        with floods.running(name, self.capsem, self.noisy) as flood:
            progress, start = flood.progress(), time.monotonic()
            look = processor_time.Look(self.pids | flood.pids)
            took = [self.timed_exec(number) for number in range(count)]
            processors = look.until_now()
            rate = (flood.progress() - progress) / (time.monotonic() - start)
        assert rate > 0, f"{name} stood still"
        return Beside(took, rate, processors)

    def timed_exec(self, number):
        """Milliseconds, from the call to the end of its stream."""
        start = time.monotonic()
        done = rpc.exec_argv(self.capsem.api, self.quiet, "echo", str(number))
        took = 1e3 * (time.monotonic() - start)
        assert (done.code, done.stdout, done.stderr) == (0, b"%d\n" % number, b""), done
        return took


class Beside:
    """What was seen of the quiet machine, in one row of execs or several."""

    def __init__(self, took, rate, processors):
        self.took, self.rate, self.processors = took, rate, processors

    @classmethod
    def all_of(cls, rows):
        return cls([one for row in rows for one in row.took], statistics.mean(row.rate for row in rows),
                   {name: statistics.mean(row.processors[name] for row in rows) for name in rows[0].processors})

    def percentile(self, percent):
        return sorted(self.took)[(len(self.took) - 1) * percent // 100]

    def told(self, name):
        processors = ", ".join(f"{who} {share:.2f}" for who, share in self.processors.items())
        return (f"  {name}: p50 {self.percentile(50):.1f} ms, p99 {self.percentile(99):.1f} ms, "
                f"{self.rate:,.0f} {floods.unit(name)}/s; processors: {processors}")


def compare(neighbours, flood, rounds, count):
    """(Beside a spin, Beside the flood) after so many pairs, with what they say."""
    load, rows = os.getloadavg()[0], {"spin": [], flood: []}
    for turn in range(rounds):
        for name in sorted(rows, reverse=turn % 2 == 0):
            rows[name].append(neighbours.beside(name, count))
    spin, flooded = Beside.all_of(rows["spin"]), Beside.all_of(rows[flood])
    pairs = [there.percentile(50) / here.percentile(50) for here, there in zip(rows["spin"], rows[flood])]
    print(f"{flood} against a spin, {rounds} pairs of {count} execs: p50 {ratio(spin, flooded, 50):.2f}×, "
          f"p99 {ratio(spin, flooded, 99):.2f}×; p50 of the pairs {min(pairs):.2f}-{max(pairs):.2f}×; "
          f"load average before {load:.2f}, after {os.getloadavg()[0]:.2f}")
    print(spin.told("spin"), flooded.told(flood), sep="\n")
    return spin, flooded


def ratio(spin, flooded, percent):
    return flooded.percentile(percent) / spin.percentile(percent)


@pytest.fixture(scope="module")
def neighbours():
    with CapsemHome() as home:
        yield Neighbours(home)


@pytest.mark.parametrize("flood", FLOODS)
def test_beside_a_flood_every_exec_is_answered(neighbours, flood):
    compare(neighbours, flood, rounds=1, count=15)


@pytest.mark.long
@pytest.mark.neighbour
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("flood", FLOODS)
def test_a_flood_slows_the_neighbour_no_more_than_a_spin(neighbours, flood):
    spin, flooded = compare(neighbours, flood, ROUNDS, EXECS)
    others = max(spin.processors["others"], flooded.processors["others"])
    assert others <= MOST_OTHERS, f"not valid: others had {others:.2f} processors"
    most_p50, most_p99 = MOST[flood]
    assert ratio(spin, flooded, 50) <= most_p50
    assert ratio(spin, flooded, 99) <= most_p99
