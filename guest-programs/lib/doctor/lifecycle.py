"""How this machine ends, and what it is."""
import os
import shutil

from doctor.checks import PROGRAMS, check, text_of, want


@check("lifecycle", "poweroff, halt, reboot, shutdown and suspend are Capsem's")
def _():
    for name in ("poweroff", "halt", "reboot", "shutdown", "suspend"):
        found = shutil.which(name)
        want(found, f"{name} is not in PATH")
        want(os.path.realpath(found) == str(PROGRAMS / "capsem-power"), f"{name} is {os.path.realpath(found)}")


@check("lifecycle", "this machine has an id of its own")
def _():
    text = text_of("/etc/machine-id").strip()
    want(len(text) == 32 and all(letter in "0123456789abcdef" for letter in text), f"machine-id is {text!r}")


@check("lifecycle", "each command has a group of its own, which its end takes along")
def _():
    want(text_of("/proc/self/cgroup").strip() != "0::/", "this command is in the root group")


@check("lifecycle", "PID 1 is not ended by a signal")
def _():
    for number in (9, 19, 11):
        os.kill(1, number)
    want(text_of("/proc/1/stat").rpartition(")")[2].split()[0] in "SR", "PID 1 stands still")
