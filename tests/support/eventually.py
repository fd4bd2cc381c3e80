"""Waiting with a reason and a limit: for what a test can only look at, such as the process table.

What has an event is waited for by its event (a call that answers, a process that ends, an end of file), not by this.
"""
import time

# Between two looks: short against what a person feels, long against what a look costs.
_PAUSE = 0.02


def eventually(reason, limit, condition):
    """The first true value of `condition()`; after `limit` seconds fails with the reason and what it last saw."""
    end = time.monotonic() + limit
    while True:
        last = condition()
        if last:
            return last
        if time.monotonic() > end:
            raise AssertionError(f"not within {limit} s: {reason}; last seen: {last!r}")
        time.sleep(_PAUSE)
