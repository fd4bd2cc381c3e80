"""tools/dev/commit-msg."""
import subprocess

import pytest
from support import paths

pytestmark = pytest.mark.recipes

CASES = [
    ("vsock: check every chain\n\nThe guest owns the rings.\n", None),
    ("vsock: check every chain\n", None),
    ("Merge branch 'x'\n", None),
    ("check every chain\n", "the subject is"),
    ("vsock: check every chain.\n", "full stop"),
    ("vsock: checked\nwithout an empty line\n", "empty line"),
    ("vsock: added a check\n", "order"),
    ("vsock: " + "x" * 80 + "\n", "72"),
    ("vsock: check\n\n" + "a b " * 40 + "\n", "120"),
    ("", "the subject is"),
]


@pytest.mark.parametrize("message,fault", CASES, ids=range(len(CASES)))
def test_the_rule_holds(tmp_path, message, fault):
    (tmp_path / "message").write_text(message)
    done = subprocess.run([paths.ROOT / "tools/dev/commit-msg", tmp_path / "message"], text=True, capture_output=True)
    assert done.returncode == (0 if fault is None else 1), done.stderr
    assert (fault or "") in done.stderr
