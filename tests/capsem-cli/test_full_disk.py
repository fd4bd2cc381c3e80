"""A state folder on a disk that is full, or too small for a session: what is said, and what helps."""
import json
import subprocess

import pytest

from support import mounts

pytestmark = pytest.mark.cli


def on_a_disk(home, mib, more=""):
    """`home` on a disk of its own, for one command and what it starts."""
    home.cli.prefix = mounts.privately(f"{mounts.small_disk(home.home, mib)}\n{more}")


@pytest.mark.parametrize("words, code", [(["list"], 6), (["status"], 6), (["create"], 6), (["run", "true"], 125)],
                         ids=lambda words: words[0] if isinstance(words, list) else "")
def test_a_service_that_cannot_start_says_why_and_what_helps(home, words, code):
    on_a_disk(home, 1, f"head -c 2M /dev/zero > {home.home}/fill 2>/dev/null || true")
    got, cause, remedy = home.cli.error(*words)
    assert got == code
    assert "cannot start" in cause and "full" in cause and "{" not in cause
    assert "free some disk space" in remedy


def test_status_says_that_there_is_no_room_for_a_session(home):
    on_a_disk(home, 64)
    both = 'capsem=$1; shift; "$capsem" status --json; "$capsem" service stop'
    command = [*home.cli.prefix, "sh", "-c", both, "sh", str(home.cli.program)]
    done = subprocess.run(command, capture_output=True, check=True, env=home.cli.environment)
    [problem] = [text for text in json.loads(done.stdout)["problems"] if "disk" in text]
    assert "2048 MiB are needed" in problem and "CAPSEM_HOME" in problem
