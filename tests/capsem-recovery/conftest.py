"""Anything may be killed at any moment: nothing is lost, stuck or left behind."""
from support.fixtures import fresh_capsem  # noqa: F401 (fixture)


def pytest_configure(config):
    config.addinivalue_line("markers", "recovery: Anything may be killed at any moment: nothing is lost, stuck or left behind.")
    config.addinivalue_line("markers", "kill: the kill campaign")
