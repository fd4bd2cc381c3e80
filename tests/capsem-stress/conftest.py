"""Many machines and commands at once."""
from support.fixtures import box, capsem, client, fresh_capsem  # noqa: F401 (fixtures)


def pytest_configure(config):
    config.addinivalue_line("markers", "neighbour: execs in one machine beside the floods of another (a long proof).")
    config.addinivalue_line("markers", "stress: Many machines and commands at once.")
