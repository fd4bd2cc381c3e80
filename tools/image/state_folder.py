"""The installation's state folder as the image builder sees it, and the lock between two builders.

Whatever is made is made in a folder whose name begins with `.new-`, synced, and then renamed. A
builder that was killed leaves at most such a folder, and the next one removes it.
"""

import contextlib
import errno
import fcntl
import os
import shutil
import tempfile

from failure import FAILED_PRECONDITION, PERMISSION_DENIED, Failure

_UNFINISHED = ".new-"
# Root file systems of this many definitions are kept: switching between branches costs no build.
_CACHED_ROOTS = 3


def default_path():
    """As wire/run_dir of the C++ rooms has it: CAPSEM_HOME, else XDG."""
    if os.environ.get("CAPSEM_HOME"):
        return os.environ["CAPSEM_HOME"]
    if os.environ.get("XDG_STATE_HOME", "").startswith("/"):
        return os.environ["XDG_STATE_HOME"] + "/capsem"
    if os.environ.get("HOME"):
        return os.environ["HOME"] + "/.local/state/capsem"
    raise Failure(FAILED_PRECONDITION, "neither CAPSEM_HOME nor HOME is set",
                  "set CAPSEM_HOME to a folder of yours")


class StateFolder:
    def __init__(self, path):
        self.path = os.path.abspath(path)
        self.images = f"{self.path}/images"
        self.keys = f"{self.path}/keys"
        self.trusted_keys = f"{self.keys}/trusted_keys.d"
        self.roots = f"{self.path}/cache/rootfs"
        for folder in (self.path, self.images, self.keys, self.trusted_keys, f"{self.path}/cache",
                       self.roots):
            _make_private(folder)

    @contextlib.contextmanager
    def lock(self, say):
        """One builder at a time. The lock is the kernel's: it ends with its holder."""
        path = f"{self.path}/cache/image_build.lock"
        with open(path, "a+", encoding="ascii") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.seek(0)
                holder = file.read().strip() or "unknown"
                say(f"another image build (pid {holder}) works in {self.path}: waiting for its end")
                fcntl.flock(file, fcntl.LOCK_EX)
            file.truncate(0)
            file.write(f"{os.getpid()}\n")
            file.flush()
            self._remove_unfinished()
            yield

    @contextlib.contextmanager
    def new_folder(self, parent):
        """A folder to fill. What is not renamed away by the end is removed."""
        path = tempfile.mkdtemp(prefix=_UNFINISHED, dir=parent)
        try:
            yield path
        finally:
            shutil.rmtree(path, ignore_errors=True)

    def forget_old_roots(self):
        with os.scandir(self.roots) as entries:
            by_age = sorted(entries, key=lambda entry: entry.stat().st_mtime, reverse=True)
        for entry in by_age[_CACHED_ROOTS:]:
            shutil.rmtree(entry.path, ignore_errors=True)

    def point(self, name, digest):
        """Switches an image's name to a digest, at once."""
        link = f"{self.images}/{name}"
        if os.path.islink(link) and os.readlink(link) == digest:
            return
        with self.new_folder(self.images) as folder:
            os.symlink(digest, f"{folder}/link")
            os.rename(f"{folder}/link", link)
        sync_folder(self.images)

    def _remove_unfinished(self):
        for parent in (self.images, self.roots):
            for name in os.listdir(parent):
                if name.startswith(_UNFINISHED):
                    shutil.rmtree(f"{parent}/{name}", ignore_errors=True)


def publish(folder, target, scratch):
    """Makes a filled folder appear as `target`: its files synced first, then the rename.

    A damaged `target` is moved to `scratch`, which the caller removes.
    """
    for parent, _, files in os.walk(folder):
        for name in files:
            os.chmod(f"{parent}/{name}", 0o400)
            sync_file(f"{parent}/{name}")
        sync_folder(parent)
    if os.path.lexists(target):
        os.rename(target, f"{scratch}/replaced")
    os.rename(folder, target)
    sync_folder(os.path.dirname(target))


def sync_file(path):
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(path):
    sync_file(path)


def _make_private(folder):
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise
        raise Failure(PERMISSION_DENIED,
                      f"cannot make the folder {folder}: {error.strerror.lower()}",
                      "set CAPSEM_HOME to a folder that you may write to") from error
