"""All our host binaries are in a signed manifest, and a foreign one is not started."""
from support.fixtures import box, capsem, client, fresh_capsem, home  # noqa: F401 (fixtures)


def pytest_configure(config):
    config.addinivalue_line("markers", "codesign: All our host binaries are in a signed manifest, and a foreign one is not started.")
