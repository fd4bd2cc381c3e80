"""A service that has run many sessions holds no more than one that has run few."""
import collections
import statistics

import pytest

from support import process_tree

pytestmark = pytest.mark.cleanup

# Bytes of resident memory that the service may grow by with each session (least squares over the measured cycles).
MOST_PER_CYCLE = 4096
# gRPC keeps as many threads for its timers as once rang at the same time.
GRPC_TIMER, MOST_TIMERS = "grpc_global_tim", 4


def cycle(capsem):
    session = capsem.create("--memory", "256")
    assert capsem.exec(session, "true").code == 0
    capsem.ok("delete", session)


def holdings(capsem):
    """What the service holds: counts that must not grow."""
    service = process_tree.find(capsem.service_pid())
    files = list(service.open_files.values())
    return {"fds": len(files), "memfds": sum("memfd:" in target for target in files),
            "threads": collections.Counter(name for name in service.threads if name != GRPC_TIMER),
            "children": sorted(child.name for child in process_tree.children_of(service.pid)),
            "folders": sum(name.startswith("sessions/") for name in capsem.files())}


def resident(capsem):
    return int(process_tree.find(capsem.service_pid()).status["VmRSS"].split()[0]) * 1024


def soak(capsem, warm_up, cycles):
    for _ in range(warm_up):
        cycle(capsem)
    before, memory = holdings(capsem), []
    for _ in range(cycles):
        cycle(capsem)
        memory.append(resident(capsem))
    assert holdings(capsem) == before
    assert process_tree.find(capsem.service_pid()).threads.count(GRPC_TIMER) <= MOST_TIMERS
    return before, memory


def test_after_some_cycles_the_service_holds_no_more(fresh_capsem):
    soak(fresh_capsem, 4, 6)


@pytest.mark.long
@pytest.mark.soak
@pytest.mark.timeout(4 * 3600)
def test_after_two_hundred_cycles_its_memory_has_not_grown(fresh_capsem):
    held, memory = soak(fresh_capsem, 50, 150)
    slope = statistics.linear_regression(range(len(memory)), memory).slope
    print(f"held: {held}; resident {memory[0]} → {memory[-1]} bytes, {slope:.0f} bytes per cycle")
    assert slope < MOST_PER_CYCLE
