"""What a command finds inside the machine, and the link to it."""
from support.fixtures import box, capsem, client, fresh_capsem  # noqa: F401 (fixtures)


def pytest_configure(config):
    config.addinivalue_line("markers", "guest: What a command finds inside the machine, and the link to it.")
