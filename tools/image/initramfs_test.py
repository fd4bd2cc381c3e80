"""initramfs: an archive that cpio reads, equal for equal input."""

import io
import subprocess

import initramfs

EPOCH = 1735689600


def archive(folder, program=b"agent"):
    output = io.BytesIO()
    initramfs.write(output, program, str(folder), EPOCH)
    return output.getvalue()


def modules(folder, names):
    folder.mkdir()
    for name in names:
        (folder / name).write_bytes(name.encode() * 100)
    return folder


def test_cpio_lists_every_entry_with_its_mode_owner_and_time(tmp_path):
    data = archive(modules(tmp_path / "m", ["b.ko", "a.ko", "load.order"]))
    listing = subprocess.run(["cpio", "-itv", "--quiet", "--numeric-uid-gid"], input=data,
                             capture_output=True, check=True, env={"TZ": "UTC", "LC_ALL": "C"})
    rows = [line.split() for line in listing.stdout.decode().splitlines()]
    assert [(row[-1], row[0]) for row in rows] == [
        ("dev", "drwxr-xr-x"), ("proc", "drwxr-xr-x"), ("sys", "drwxr-xr-x"),
        ("modules", "drwxr-xr-x"), ("dev/console", "crw-------"), ("dev/null", "crw-rw-rw-"),
        ("init", "-r-xr-xr-x"), ("modules/a.ko", "-r--r--r--"), ("modules/b.ko", "-r--r--r--"),
        ("modules/load.order", "-r--r--r--")]
    assert {(row[2], row[3]) for row in rows} == {("0", "0")}
    assert all("2025" in row for row in rows)


def test_cpio_gives_back_the_bytes(tmp_path):
    data = archive(modules(tmp_path / "m", ["a.ko"]), program=b"\x7fELF" + b"x" * 4097)
    out = tmp_path / "out"
    out.mkdir()
    subprocess.run(["cpio", "-id", "--quiet", "init", "modules/a.ko"], input=data, cwd=out, check=True)
    assert (out / "init").read_bytes() == b"\x7fELF" + b"x" * 4097
    assert (out / "modules/a.ko").read_bytes() == b"a.ko" * 100


def test_equal_input_gives_equal_bytes_whatever_the_folder_looks_like(tmp_path):
    one = modules(tmp_path / "one", ["a.ko", "b.ko"])
    two = modules(tmp_path / "two", ["b.ko", "a.ko"])
    (two / "a.ko").chmod(0o600)
    assert archive(one) == archive(two)
    assert archive(one) != archive(two, program=b"other")
