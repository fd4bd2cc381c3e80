"""Many machines and commands at once."""
from support.fixtures import box, capsem, client, fresh_capsem  # noqa: F401 (fixtures)


def pytest_configure(config):
    config.addinivalue_line("markers", "stress: Many machines and commands at once.")
