"""Four machines at once, made at once: each gives its own output; so do many short ones, one after the other."""
import threading

import pytest

pytestmark = pytest.mark.stress


def in_threads(count, work):
    results, threads = {}, []
    for number in range(count):
        threads.append(threading.Thread(target=lambda n=number: results.__setitem__(n, work(n))))
        threads[-1].start()
    for thread in threads:
        thread.join()
    assert len(results) == count, "a thread has failed"
    return results


@pytest.mark.smoke
def test_four_machines_at_once_each_its_own_output(capsem):
    results = in_threads(4, lambda number: capsem.run("run", "--", "sh", "-c", f"echo machine {number}; exit {number}"))
    for number, result in results.items():
        assert (result.code, result.out) == (number, b"machine %d\n" % number), result
    assert capsem.ok("list", "-q").text == ""


def test_create_and_delete_in_quick_succession_leaves_nothing(capsem):
    for _ in range(5):
        session = capsem.create()
        capsem.ok("delete", session)
    assert capsem.ok("list", "-q").text == ""


def test_parallel_creates_of_one_name_have_one_winner(capsem):
    results = in_threads(4, lambda number: capsem.run("create", "-q", "-n", "only-one"))
    assert sorted(result.code for result in results.values()) == [0, 3, 3, 3], results
    capsem.ok("delete", "only-one")


def test_one_session_more_than_the_limit_is_refused_with_the_limit(capsem):
    sessions = [capsem.create("--memory", "256") for _ in range(10)]
    refused = capsem.run("create", "--memory", "256")
    assert refused.code == 5
    assert "10" in refused.err
    for session in sessions:
        capsem.ok("delete", session)


def test_200_execs_on_one_machine(capsem, client, box):
    from support import rpc
    for number in range(200):
        outcome = rpc.exec_argv(client, box, "echo", str(number))
        assert outcome.stdout == b"%d\n" % number
