"""kernel_modules: the order in which an initramfs loads its modules."""

import pytest

import kernel_modules
from failure import Failure
from kernel_modules import Index

FILES = {
    # modules.dep: what is needed, last to first.
    "modules.dep": "kernel/drivers/virtio/virtio_pci.ko: kernel/drivers/virtio/virtio.ko "
                   "kernel/drivers/virtio/virtio_ring.ko\n"
                   "kernel/drivers/virtio/virtio.ko: kernel/drivers/virtio/virtio_ring.ko\n"
                   "kernel/drivers/virtio/virtio_ring.ko:\n"
                   "kernel/fs/erofs.ko: kernel/lib/libcrc32c.ko\n"
                   "kernel/lib/libcrc32c.ko:\n"
                   "kernel/arch/crc32c-intel.ko:\n",
    "modules.softdep": "# Soft dependencies\nsoftdep libcrc32c pre: crc32c post: other\n",
    "modules.alias": "# Aliases\nalias crc32c crc32c_intel\nalias crypto-crc32c crc32c_intel\n",
    "modules.builtin": "kernel/fs/ext4/ext4.ko\n",
}


@pytest.fixture
def index(tmp_path):
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    return Index.read(str(tmp_path))


@pytest.mark.parametrize("wanted, order", [
    (["virtio_ring"], ["virtio_ring.ko"]),
    (["virtio_pci"], ["virtio_ring.ko", "virtio.ko", "virtio_pci.ko"]),
    (["virtio-pci", "virtio"], ["virtio_ring.ko", "virtio.ko", "virtio_pci.ko"]),
    (["erofs"], ["crc32c-intel.ko", "libcrc32c.ko", "erofs.ko"]),
    (["ext4"], []),
])
def test_each_module_comes_after_what_it_needs(index, wanted, order):
    found = kernel_modules.load_order(index, wanted)
    assert [path.rsplit("/", 1)[1] for path in found] == order


def test_a_module_that_the_kernel_does_not_have_is_named(index):
    with pytest.raises(Failure, match="no module vsock"):
        kernel_modules.load_order(index, ["vsock"])


def test_modules_that_need_each_other_end_the_search(index):
    index.depends["virtio_ring"] = ["virtio_pci"]
    assert len(kernel_modules.load_order(index, ["virtio_pci"])) == 3
