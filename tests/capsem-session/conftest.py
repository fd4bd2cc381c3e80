"""Sessions as they are recorded: names, the registry, what comes back after the service has gone."""
from support.fixtures import capsem, client, fresh_capsem, home  # noqa: F401 (fixtures)


def pytest_configure(config):
    config.addinivalue_line("markers", "session: Sessions as they are recorded, and what comes back of them.")
