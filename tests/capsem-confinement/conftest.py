"""What a program that a guest has taken over cannot do, and that it could without its confinement."""
from support.fixtures import box, capsem  # noqa: F401 (fixtures)


def pytest_configure(config):
    config.addinivalue_line("markers", "confinement: What a program that a guest has taken over cannot do.")
