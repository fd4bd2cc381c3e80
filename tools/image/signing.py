"""The installation's key, and signatures by it: a line of text, `ed25519 KEY-ID SIGNATURE`, in hex.

The key id is the sha256 of the public key's DER form: by it a reader tells a foreign key from a
changed text. The private half never leaves <state>/keys/image_key.pem; whoever lies in
trusted_keys.d is believed.
"""

import contextlib
import hashlib
import os
import subprocess

from failure import INTERNAL, Failure
from state_folder import sync_folder


class Signer:
    """Makes the key at its first use."""

    def __init__(self, state):
        self._state = state
        self._key = f"{state.keys}/image_key.pem"
        if not os.path.exists(self._key):
            self._install(_openssl("genpkey", "-algorithm", "ed25519"), self._key)
        der = _openssl("pkey", "-in", self._key, "-pubout", "-outform", "DER")
        self._id = hashlib.sha256(der).hexdigest()
        self._trust_own_key()

    def sign(self, path):
        """The signature line for the bytes of a file."""
        signature = _openssl("pkeyutl", "-sign", "-rawin", "-inkey", self._key, "-in", path)
        return f"ed25519 {self._id} {signature.hex()}\n"

    def _trust_own_key(self):
        path = f"{self._state.trusted_keys}/{self._id[:16]}.pem"
        if not os.path.exists(path):
            self._install(_openssl("pkey", "-in", self._key, "-pubout"), path)

    def _install(self, text, path):
        # By link, not rename: of two that make the first key at once, the first one's stays.
        with self._state.new_folder(self._state.keys) as new:
            with open(f"{new}/key", "wb", opener=_private) as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            with contextlib.suppress(FileExistsError):
                os.link(f"{new}/key", path)
        sync_folder(os.path.dirname(path))


def _private(path, flags):
    return os.open(path, flags | os.O_CLOEXEC, 0o600)


def _openssl(*arguments):
    result = subprocess.run(["openssl", *arguments], capture_output=True, check=False)
    if result.returncode != 0:
        text = result.stderr.decode(errors="replace").strip()
        raise Failure(INTERNAL, f"openssl {arguments[0]} failed: {text}")
    return result.stdout
