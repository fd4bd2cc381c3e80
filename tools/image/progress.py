"""Tells the person at the terminal, on stderr, which step runs and how long each took."""

import contextlib
import sys
import time


class Progress:
    def __init__(self, prefix, quiet=False):
        self._prefix = prefix
        self.quiet = quiet

    def say(self, text):
        if not self.quiet:
            print(f"{self._prefix}: {text}", file=sys.stderr, flush=True)

    @contextlib.contextmanager
    def step(self, text):
        """Says what begins; a step of over a second also says when it is done."""
        self.say(f"{text} …")
        begun = time.monotonic()
        yield
        took = time.monotonic() - begun
        if took >= 1:
            self.say(f"{text}: {took:.1f} s")
