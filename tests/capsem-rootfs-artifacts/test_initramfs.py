"""The initramfs: a plain cpio with a static /init, and the modules of the kernel that it is for."""
import json
import stat
import subprocess

import pytest

from support import initramfs, paths

pytestmark = pytest.mark.rootfs

IMAGE = paths.SHARED_HOME / "images/base"


@pytest.fixture(scope="module")
def entries():
    return initramfs.read(IMAGE / "initramfs.cpio")


@pytest.fixture(scope="module")
def release():
    return json.loads((IMAGE / "manifest.json").read_bytes())["kernel_release"]


@pytest.fixture(scope="module")
def modules(entries, tmp_path_factory):
    """The modules as files, in load order."""
    folder = tmp_path_factory.mktemp("modules")
    names = load_order(entries)
    for name in names:
        (folder / name).write_bytes(entries[f"modules/{name}"].data)
    return [folder / name for name in names]


def load_order(entries):
    return entries["modules/load.order"].data.decode("ascii").splitlines()


def modinfo(module, field):
    return subprocess.run(["/usr/sbin/modinfo", "-F", field, module], check=True, text=True, capture_output=True).stdout.strip()


def test_init_is_a_static_program(entries, tmp_path):
    init = entries["init"]
    assert init.mode == stat.S_IFREG | 0o555
    (tmp_path / "init").write_bytes(init.data)
    told = subprocess.run(["readelf", "--wide", "--file-header", "--program-headers", tmp_path / "init"], check=True, text=True,
                          capture_output=True).stdout
    assert "LOAD" in told
    assert "INTERP" not in told
    assert "NEEDED" not in subprocess.run(["readelf", "--dynamic", tmp_path / "init"], check=True, text=True,
                                          capture_output=True).stdout


def test_the_load_order_names_every_module_once(entries):
    names = load_order(entries)
    assert names and len(names) == len(set(names))
    there = {name.removeprefix("modules/") for name in entries if name.startswith("modules/")}
    assert set(names) == there - {"load.order"}


def test_each_module_is_for_the_kernel_of_the_manifest(modules, release):
    assert {modinfo(module, "vermagic").split()[0] for module in modules} == {release}


def test_each_module_comes_after_what_it_needs(modules):
    loaded = set()
    for module in modules:
        needed = {name.replace("-", "_") for name in modinfo(module, "depends").split(",") if name}
        assert needed <= loaded, f"{module.name} before {needed - loaded}"
        loaded.add(module.stem.replace("-", "_"))


def test_the_kernel_is_the_one_of_the_manifest(release):
    kernel = (IMAGE / "vmlinuz").read_bytes()
    if kernel[0x202:0x206] == b"HdrS":  # x86: the boot header says where the text of its version lies
        start = 0x200 + int.from_bytes(kernel[0x20E:0x210], "little")
        told = kernel[start:kernel.index(b"\0", start)].decode("ascii")
    else:
        told = release if release.encode() in kernel else "another kernel"
    assert told.split()[0] == release


def test_nothing_else_is_in_it_and_all_of_it_is_roots(entries):
    others = {name for name in entries if not name.startswith("modules/")}
    assert others == {"dev", "dev/console", "dev/null", "proc", "sys", "modules", "init"}
    assert {entry.owner for entry in entries.values()} == {(0, 0)}
    assert not [name for name, entry in entries.items() if entry.mode & (stat.S_ISUID | stat.S_ISGID)]
