"""The initramfs: a cpio archive ("newc") with the agent as /init and the modules it loads first.

Uncompressed, because an emulated processor unpacks slower than it copies. Equal input gives equal
bytes: names are sorted, every time is the epoch, every owner root.
"""

import dataclasses
import os
import stat


@dataclasses.dataclass
class _Entry:
    name: str
    mode: int
    data: bytes = b""
    device: tuple = (0, 0)


def write(output, program, modules_folder, epoch):
    """Writes the archive to the binary file `output`; `program` is the content of /init."""
    archive = _Archive(output, epoch)
    for entry in _entries(program, modules_folder):
        archive.add(entry)
    archive.finish()


def _entries(program, modules_folder):
    folders = [_Entry(name, stat.S_IFDIR | 0o755) for name in ("dev", "proc", "sys", "modules")]
    # The kernel opens /dev/console for /init before anything is mounted on /dev.
    devices = [_Entry("dev/console", stat.S_IFCHR | 0o600, device=(5, 1)),
               _Entry("dev/null", stat.S_IFCHR | 0o666, device=(1, 3))]
    files = [_Entry(f"modules/{name}", stat.S_IFREG | 0o444, _read(f"{modules_folder}/{name}"))
             for name in sorted(os.listdir(modules_folder))]
    return folders + devices + [_Entry("init", stat.S_IFREG | 0o555, program)] + files


def _read(path):
    with open(path, "rb") as file:
        return file.read()


class _Archive:
    _TRAILER = "TRAILER!!!"
    # The kernel reads an initrd by pages.
    _BLOCK = 4096

    def __init__(self, output, epoch):
        self._output = output
        self._epoch = epoch
        self._size = 0
        self._inode = 0

    def add(self, entry):
        name = entry.name.encode("ascii") + b"\0"
        trailer = entry.name == self._TRAILER
        self._inode += 0 if trailer else 1
        links = 2 if stat.S_ISDIR(entry.mode) else 1
        inode, time = (0, 0) if trailer else (self._inode, self._epoch)
        fields = (inode, entry.mode, 0, 0, links, time, len(entry.data), 0, 0, *entry.device,
                  len(name), 0)
        self._put(b"070701" + b"".join(b"%08X" % field for field in fields) + name)
        self._pad(4)
        self._put(entry.data)
        self._pad(4)

    def finish(self):
        self.add(_Entry(self._TRAILER, 0))
        self._pad(self._BLOCK)

    def _put(self, data):
        self._output.write(data)
        self._size += len(data)

    def _pad(self, unit):
        self._put(bytes(-self._size % unit))
