"""The guest agent as it goes into the initramfs: checked to be static, and without its symbols.

A program that wants a loader does not start as /init: the kernel panics, and nothing says why.
Symbols would be unpacked into the guest's memory at every boot.
"""

import struct
import subprocess

from failure import FAILED_PRECONDITION, INTERNAL, NOT_FOUND, Failure

_ELF_MAGIC = b"\x7fELF"
_PT_INTERP = 3


def check(path):
    """Refuses what could not start as /init."""
    try:
        with open(path, "rb") as file:
            program = file.read()
    except FileNotFoundError as error:
        raise Failure(NOT_FOUND, f"there is no guest agent at {path}",
                      "build the tree first, or name the agent with --agent") from error
    if not program.startswith(_ELF_MAGIC):
        raise Failure(FAILED_PRECONDITION, f"{path} is not a program for Linux")
    if _wants_loader(program):
        raise Failure(FAILED_PRECONDITION,
                      f"{path} is linked dynamically: it cannot start as /init",
                      "link the agent with -static")


def read(path, scratch):
    """The bytes for /init; `scratch` is a folder for what strip writes."""
    output = f"{scratch}/agent"
    result = subprocess.run(["strip", "--strip-all", "-o", output, path], capture_output=True,
                            text=True, check=False)
    if result.returncode != 0:
        raise Failure(INTERNAL, f"strip failed on {path}: {result.stderr.strip()}")
    with open(output, "rb") as file:
        return file.read()


def _wants_loader(program):
    # Both of Debian's architectures with a cloud kernel are 64 bit, little endian.
    try:
        offset, = struct.unpack_from("<Q", program, 32)
        entry_size, count = struct.unpack_from("<HH", program, 54)
        types = [struct.unpack_from("<I", program, offset + index * entry_size)[0]
                 for index in range(count)]
    except struct.error as error:
        raise Failure(FAILED_PRECONDITION, "the guest agent is a damaged ELF file") from error
    return _PT_INTERP in types

