"""What may be done with a session when, and what stays of it."""
from support.fixtures import box, capsem, client, fresh_capsem, home  # noqa: F401 (fixtures)


def pytest_configure(config):
    config.addinivalue_line("markers", "lifecycle: What may be done with a session when, and what stays of it.")
