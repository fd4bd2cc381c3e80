"""Reads an uncompressed cpio archive ("newc"), as the kernel does with an initramfs."""
import dataclasses

_MAGIC = b"070701"
_HEADER = 110  # bytes: the magic and 13 numbers of 8 hex digits
_TRAILER = "TRAILER!!!"


@dataclasses.dataclass(frozen=True)
class Entry:
    mode: int
    owner: tuple  # uid, gid
    data: bytes


def read(path):
    """{name: Entry}. Fails at the first byte that is no cpio; behind the trailer only zeros may follow."""
    with open(path, "rb") as file:
        archive = file.read()
    entries, at = {}, 0
    while True:
        header = archive[at:at + _HEADER]
        assert header[:6] == _MAGIC, f"at byte {at} of {path} is no cpio header: {header[:6]!r}"
        fields = [int(header[6 + 8 * index:14 + 8 * index], 16) for index in range(13)]
        mode, uid, gid, size, name_size = fields[1], fields[2], fields[3], fields[6], fields[11]
        name = archive[at + _HEADER:at + _HEADER + name_size - 1].decode("ascii")
        data_at = _padded(at + _HEADER + name_size)
        at = _padded(data_at + size)
        if name == _TRAILER:
            assert not archive[at:].strip(b"\0"), f"something follows the end of {path}"
            return entries
        assert name not in entries, f"{name} is twice in {path}"
        entries[name] = Entry(mode, (uid, gid), archive[data_at:data_at + size])


def _padded(offset):
    return (offset + 3) & ~3
