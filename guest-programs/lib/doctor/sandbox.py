"""Nothing leads out of this machine, and nothing inside gives more rights."""
import ctypes
import errno
import os
import socket
import stat

from doctor.checks import LIMIT, PROGRAMS, check, mounts, output_of, refused, text_of, want

NOBODY = 65534


@check("sandbox", "PID 1 is the agent")
def _():
    name = text_of("/proc/1/comm").strip()
    want(name in ("init", "capsem-agent"), f"PID 1 is {name!r}")


@check("sandbox", "the root is an overlay: what is written stays in this session")
def _():
    kind, options = mounts()["/"]
    want(kind == "overlay" and "rw" in options, f"/ is {kind} with {options}")
    want(any(option.startswith("lowerdir=") for option in options), "it has no lower layer")


@check("sandbox", "the image's own file system is mounted nowhere that can be written")
def _():
    writable = [point for point, (kind, options) in mounts().items() if kind == "erofs" and "ro" not in options]
    want(not writable, f"erofs can be written at {writable}")


@check("sandbox", "disk and image are no files that a program reaches by a path")
def _():
    shown = [point for point, (kind, _options) in mounts().items() if kind == "ext4"]
    want(not shown, f"the disk is mounted at {shown}")


@check("sandbox", "Capsem's programs have mode 555 and are root's")
def _():
    programs = sorted(PROGRAMS.iterdir())
    want(programs, f"{PROGRAMS} is empty")
    for program in programs:
        info = program.lstat()
        if stat.S_ISLNK(info.st_mode):
            continue
        want(stat.S_IMODE(info.st_mode) == 0o555 and info.st_uid == 0,
             f"{program} has mode {stat.S_IMODE(info.st_mode):o} and uid {info.st_uid}")


@check("sandbox", "root cannot write, chmod, rename or remount Capsem's programs")
def _():
    mine = PROGRAMS / "capsem-doctor"
    libc = ctypes.CDLL(None, use_errno=True)

    def remount():
        flags = 32 | 4096  # MS_REMOUNT | MS_BIND: without MS_RDONLY
        if libc.mount(None, str(PROGRAMS).encode(), None, flags, None) == 0:
            with open(mine, "ab"):
                pass
            return
        raise OSError(ctypes.get_errno(), "mount")

    for what, work in (("written", lambda: open(mine, "ab")), ("chmodded", lambda: mine.chmod(0o777)),
                       ("renamed", lambda: mine.rename(PROGRAMS / "x")),
                       ("added to", lambda: (PROGRAMS / "x").write_text("")),
                       ("renamed as a folder", lambda: PROGRAMS.rename("/opt/capsem/x")),
                       ("written after a remount", remount)):
        want(refused(work, errno.EROFS, errno.EBUSY, errno.EPERM, errno.EINVAL), f"they can be {what}")


@check("sandbox", "no program takes the rights of another user")
def _():
    found = output_of("find", "/", "-xdev", "-type", "f", "-perm", "/6000")
    want(not found, f"set-uid or set-gid: {found.split()}")


@check("sandbox", "there is no network device but the loopback")
def _():
    devices = sorted(os.listdir("/sys/class/net"))
    want(set(devices) <= {"lo", "dummy0"}, f"devices: {devices}")


@check("sandbox", "there are no disks but the image and the session's")
def _():
    disks = [name for name in os.listdir("/sys/block") if not name.startswith(("loop", "ram", "zram"))]
    serials = sorted(text_of(f"/sys/block/{name}/serial").strip() for name in disks)
    want(serials == ["capsem-disk", "capsem-root"], f"disks: {dict(zip(disks, serials))}")


@check("sandbox", "the image's disk cannot be written, by its device either")
def _():
    [device] = [name for name in os.listdir("/sys/block") if name.startswith("vd")
                and text_of(f"/sys/block/{name}/serial").strip() == "capsem-root"]
    want(text_of(f"/sys/block/{device}/ro").strip() == "1", f"/dev/{device} is writable")


@check("sandbox", "an ordinary user does not reach the host over vsock")
def _():
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            with socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM) as dialed:
                dialed.settimeout(LIMIT)
                dialed.connect((2, 5000))
                code = 0 if dialed.recv(1) == b"" else 1
        except OSError:
            code = 0
        finally:
            os._exit(code)
    want(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0, "it was answered")


@check("sandbox", "the kernel ends when it is broken, and says so")
def _():
    words = text_of("/proc/cmdline").split()
    for word in ("panic=-1", "oops=panic"):
        want(word in words, f"the kernel's command line lacks {word}")


@check("sandbox", "programs can confine themselves: seccomp, Landlock or namespaces")
def _():
    want("Seccomp:" in text_of("/proc/self/status"), "this kernel has no seccomp")
    for name in ("mnt", "pid", "net", "user"):
        want(os.path.exists(f"/proc/self/ns/{name}"), f"this kernel has no {name} namespaces")


@check("sandbox", "the kernel's memory is not to be read by a user")
def _():
    for path in ("/dev/mem", "/dev/port", "/proc/kcore"):
        if os.path.exists(path):
            want(not stat.S_IMODE(os.stat(path).st_mode) & 0o006, f"{path} is open to everybody")


@check("sandbox", "nothing of the host's is named here")
def _():
    for path in ("/etc/resolv.conf", "/etc/hosts", "/etc/hostname"):
        want(os.path.exists(path), f"{path} is missing")
    want("CAPSEM_HOME" not in os.environ, "CAPSEM_HOME of the host is in the environment")
