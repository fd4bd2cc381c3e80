"""The console, and how long a boot takes."""
from support.fixtures import box, capsem, client, fresh_capsem  # noqa: F401 (fixtures)


def pytest_configure(config):
    config.addinivalue_line("markers", "console: a long proof: 1 GiB of a console stays within its ring")
    config.addinivalue_line("markers", "serial: The console, and how long a boot takes.")
