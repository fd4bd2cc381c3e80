"""The service through its API: sessions, commands, limits, errors, deaths."""
from support.fixtures import box, capsem, client, fresh_capsem, home  # noqa: F401 (fixtures)


def pytest_configure(config):
    config.addinivalue_line("markers", "adoption: eight machines outlive their service (a long proof).")
    config.addinivalue_line("markers", "files: a long proof: more than 4 GiB of a file pass with flat memory")
    config.addinivalue_line("markers", "integration: The service through its API: sessions, commands, limits, errors, deaths.")
    config.addinivalue_line("markers", "spool: a long proof: 1 GiB of output passes with flat memory")
