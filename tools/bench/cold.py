"""create → first exec from a cold start, against raw QEMU: the same command line without the vsock device, the same kernel,
initramfs and image, with an /init (raw_init.c) that mounts alike and runs the command on the serial line."""
import os
import pathlib
import re
import shlex
import statistics
import subprocess
import tempfile
import time

from support import paths, process_tree
from support.service import Service

HERE = pathlib.Path(__file__).resolve().parent
COMMAND = "true"
MARK = b"RAW-BOOT-DONE 0"
# Bytes: the block size that the kernel's cpio reader skips by between two archives.
ALIGN = 512


def measure(options):
    with tempfile.TemporaryDirectory(prefix="bench") as scratch, Service() as service:
        scratch = pathlib.Path(scratch)
        raw = RawBoot(service, scratch)
        ours, theirs = [], []
        for _ in range(options.pairs):
            ours.append(through_capsem(service))
            theirs.append(raw.boot())
        mine, peer = statistics.median(ours), statistics.median(theirs)
        return [{
            "name": "cold create → first exec", "ours": f"{mine:.3f} s", "peer": f"{peer:.3f} s", "goal": "≤ 1.2 × raw boot",
            "ratio": mine / peer, "met": mine <= 1.2 * peer, "samples": {"capsem": ours, "raw": theirs},
            "notes": [f"ratio {mine / peer:.3f}, medians of {options.pairs} interleaved pairs",
                      f"capsem: {shlex.join(raw.capsem_argv)}", f"raw: {shlex.join(raw.argv)}"],
        }]


def through_capsem(service):
    start = time.monotonic()
    session = service.api.create().id
    assert service.api.exec(session, "/bin/" + COMMAND, "x").code == 0
    spent = time.monotonic() - start
    service.api.delete(session)
    return spent


class RawBoot:
    """The command line of a machine of ours, made into one that needs nobody."""

    def __init__(self, service, scratch):
        session = service.api.create()
        service.api.exec(session.id, "true")
        pid = service.api.get(session.id).machine_pid
        machine = process_tree.find(pid)
        self.capsem_argv = [word.decode() for word in machine.command_line]
        image = (paths.SHARED_HOME / "images/base").resolve()
        self.disk = scratch / "disk.img"
        self.empty = scratch / "empty.img"
        service.api.delete(session.id)
        subprocess.run(["truncate", "-s", "16G", self.empty], check=True)
        subprocess.run(["/sbin/mkfs.ext4", "-q", "-F", self.empty], check=True)
        initrd = self._initrd(image, scratch)
        self.argv = self._argv({"kernel": image / "vmlinuz", "initrd": initrd, "root": image / "rootfs.erofs",
                                "disk": self.disk})

    def _initrd(self, image, scratch):
        """The image's initramfs with another /init: of two archives in a row the later one wins."""
        program = scratch / "root/init"
        program.parent.mkdir()
        subprocess.run(["gcc", "-static", "-Os", "-o", program, HERE / "raw_init.c"], check=True)
        extra = subprocess.run(["cpio", "-o", "-H", "newc", "--quiet"], input=b"init\n", cwd=program.parent,
                               capture_output=True, check=True).stdout
        whole = (image / "initramfs.cpio").read_bytes()
        initrd = scratch / "initrd"
        initrd.write_bytes(whole + bytes(-len(whole) % ALIGN) + extra)
        return initrd

    def _argv(self, own):
        """Each inherited descriptor becomes the file behind it; the monitor and the stopped start go."""
        argv, words = [], iter(self.capsem_argv)
        for word in words:
            if word in ("-mon", "-add-fd"):
                next(words)
            elif word == "-chardev":
                name = re.search(r"id=([^,]+)", next(words)).group(1)
                if name != "qmp":
                    argv += [word, f"stdio,id={name}"]
            elif word in ("-kernel", "-initrd"):
                next(words)
                argv += [word, str(own[word[1:]])]
            elif word == "-append":
                argv += [word, next(words) + f" raw_cmd={COMMAND}"]
            elif word != "-S":
                argv.append(self._replaced(word, own))
        return argv

    @staticmethod
    def _replaced(word, own):
        if "memory-backend-file" in word:
            # Memory of the same kind and size that nobody else maps.
            return re.sub(r'"mem-path": *"[^"]*"', '"mem-path": "/dev/shm"', word)
        return re.sub(r"/dev/fdset/\d+", str(own["root" if '"read-only":true' in word else "disk"]), word)

    def boot(self):
        subprocess.run(["cp", "--sparse=always", self.empty, self.disk], check=True)
        start = time.monotonic()
        with subprocess.Popen(self.argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as qemu:
            seen = b""
            while MARK not in seen:
                piece = os.read(qemu.stdout.fileno(), 4096)
                assert piece, f"the raw boot ended: {seen[-2000:]!r}"
                seen += piece
            spent = time.monotonic() - start
            qemu.kill()
        return spent
