"""What an image is made of."""
from support.fixtures import box, capsem  # noqa: F401 (fixtures)


def pytest_configure(config):
    config.addinivalue_line("markers", "rootfs: What an image is made of: files, manifest, initramfs, root file system, twice the same.")
