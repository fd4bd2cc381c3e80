"""Nothing stays behind."""
from support.fixtures import box, capsem, client, fresh_capsem  # noqa: F401 (fixtures)


def pytest_configure(config):
    config.addinivalue_line("markers", "cleanup: Nothing stays behind.")
    config.addinivalue_line("markers", "soak: two hundred sessions, one after the other; what the service holds")
