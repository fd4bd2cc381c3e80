"""From the sources to a machine: binaries, image, manifest, boot."""
from support.fixtures import box, capsem, client, fresh_capsem  # noqa: F401 (fixtures)


def pytest_configure(config):
    config.addinivalue_line("markers", "build_chain: From the sources to a machine: binaries, image, manifest, boot.")
