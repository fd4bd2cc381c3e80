"""How long a machine takes to come up: one of the two timed tests that our user asks for."""
import time

import pytest

pytestmark = pytest.mark.serial


@pytest.mark.smoke
def test_boot_under_30_seconds(capsem):
    start = time.monotonic()
    session = capsem.create()
    result = capsem.exec(session, "true")
    spent = time.monotonic() - start
    assert result.code == 0, result
    assert spent < 30, f"create and the first exec took {spent:.1f} s"
    capsem.ok("delete", session)
