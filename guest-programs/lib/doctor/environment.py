"""What commands find here."""
import os
import resource
import socket
import stat
import sys
import tempfile
import time

from doctor.checks import PROGRAMS, check, text_of, want


@check("environment", "HOME, USER and PATH are set, and Capsem's programs are in PATH")
def _():
    for name in ("HOME", "USER", "PATH"):
        want(os.environ.get(name), f"{name} is not set")
    want(str(PROGRAMS) in os.environ["PATH"].split(":"), f"PATH is {os.environ['PATH']}")


@check("environment", "CAPSEM_VM_ID and CAPSEM_VM_NAME tell which machine this is")
def _():
    session = os.environ.get("CAPSEM_VM_ID", "")
    want(len(session) == 12 and session.isalnum(), f"CAPSEM_VM_ID is {session!r}")
    want(os.environ.get("CAPSEM_VM_NAME"), "CAPSEM_VM_NAME is not set")


@check("environment", "no variable steers the loader or shells")
def _():
    bad = [key for key in os.environ
           if key.startswith(("LD_", "BASH_FUNC_")) or key in ("BASH_ENV", "ENV", "IFS", "PROMPT_COMMAND", "SHELLOPTS")]
    want(not bad, f"the environment has {bad}")


@check("environment", "the host's name is the session's")
def _():
    name = socket.gethostname()
    want(name == os.environ.get("CAPSEM_VM_NAME"), f"the name is {name!r}")
    want(text_of("/etc/hostname").strip() == name, "/etc/hostname says another")
    want(socket.gethostbyname(name).startswith("127."), f"{name} does not resolve to this machine")


@check("environment", "the clock tells a time that can be")
def _():
    want(time.time() > 1735689600, f"it is {time.ctime()}", "set the host's clock")
    want(time.clock_gettime(time.CLOCK_MONOTONIC) > 0, "the monotonic clock stands")


@check("environment", "the folders that programs write to can be written")
def _():
    for folder in ("/workspace", "/root", "/tmp", "/run", "/dev/shm", "/var/tmp", "/var/log", "/etc", "/usr/local/bin"):
        with tempfile.NamedTemporaryFile(dir=folder) as file:
            file.write(b"x" * 65536)
            file.flush()
            want(os.path.getsize(file.name) == 65536, f"{folder} lost bytes")


@check("environment", "/tmp and /var/tmp are everybody's, with the sticky bit")
def _():
    for folder in ("/tmp", "/var/tmp", "/dev/shm"):
        want(stat.S_IMODE(os.stat(folder).st_mode) == 0o1777, f"{folder} has another mode")


@check("environment", "devices that programs count on are there")
def _():
    for name in ("null", "zero", "full", "random", "urandom", "tty", "ptmx", "fd", "stdin", "stdout", "stderr"):
        want(os.path.lexists(f"/dev/{name}"), f"/dev/{name} is missing")
    with open("/dev/null", "wb") as null:
        null.write(b"x")


@check("environment", "python3 takes names of files as UTF-8")
def _():
    want(sys.getfilesystemencoding().lower() == "utf-8", sys.getfilesystemencoding())


@check("environment", "a thousand files may be open")
def _():
    want(resource.getrlimit(resource.RLIMIT_NOFILE)[0] >= 1024, "fewer may")


@check("environment", "there is memory and disk to work with")
def _():
    facts = dict(line.split(":") for line in text_of("/proc/meminfo").splitlines())
    want(int(facts["MemAvailable"].split()[0]) > 65536, f"available: {facts['MemAvailable'].strip()}",
         "create the session with more (--memory)")
    disk = os.statvfs("/workspace")
    want(disk.f_bavail * disk.f_frsize > 256 << 20, "less than 256 MiB of disk are free",
         "delete files, or the session")


@check("environment", "randomness does not block, and never repeats")
def _():
    want(os.getrandom(32, os.GRND_NONBLOCK) != os.getrandom(32, os.GRND_NONBLOCK), "32 bytes came twice")
