"""What is in a folder that we signed: the manifest's text, and the only place that writes it.

Equal content gives equal bytes, for the digest of an image is the sha256 of its manifest.
"""

import hashlib
import json
import os

_FORMAT = 1


def image(name, root, files):
    """The manifest of an image. `files` are those a machine boots from, by `file_entry`."""
    return _encode({
        "format": _FORMAT,
        "name": name,
        "created": root.epoch,
        "kernel_release": root.kernel_release,
        "files": files,
        "packages": [{"name": package, "version": version} for package, version in root.packages],
    })


def binaries(folder, names):
    """The manifest of the programs that the service may start."""
    return _encode({
        "format": _FORMAT,
        "name": "binaries",
        "files": [file_entry(folder, name) for name in sorted(names)],
    })


def sha256(path):
    with open(path, "rb", buffering=0) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def file_entry(folder, name, known_sum=None):
    path = f"{folder}/{name}"
    return {"name": name, "sha256": known_sum or sha256(path), "size": os.stat(path).st_size}


def _encode(value):
    return (json.dumps(value, indent=1, ensure_ascii=True) + "\n").encode("ascii")
