"""config.toml and corp.toml: what they say holds, and what is wrong in them is told."""
from support.fixtures import home  # noqa: F401 (fixtures)


def pytest_configure(config):
    config.addinivalue_line("markers", "config: what is configured holds, and what is wrong in it is told.")
