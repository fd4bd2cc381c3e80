"""The command line as a person meets it: help, complaints, exit codes, and the service that starts by itself."""
from support.fixtures import home, module_service, module_session, service  # noqa: F401


def pytest_configure(config):
    config.addinivalue_line("markers", "cli: the capsem command line")
