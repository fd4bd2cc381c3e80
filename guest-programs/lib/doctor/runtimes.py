"""Languages: each runs a program."""
import tempfile

from doctor.checks import ANOTHER_IMAGE, check, output_of, want


def add_runtime(name, script, *command):
    @check("runtimes", f"{name} runs a program")
    def _():
        said = output_of(*command, script).strip()
        want(said == "42", f"it said {said!r}", ANOTHER_IMAGE)


add_runtime("sh", "echo $((6*7))", "sh", "-c")
add_runtime("bash", "a=(6 7); echo $((a[0]*a[1]))", "bash", "-c")
add_runtime("python3", "print(6*7)", "python3", "-c")
add_runtime("perl", "print 6*7", "perl", "-e")
add_runtime("awk", "BEGIN { print 6*7 }", "awk")


@check("runtimes", "python3 has the modules that agents use")
def _():
    names = "asyncio, ctypes, hashlib, json, ssl, sqlite3, subprocess, urllib.request, venv, zlib"
    output_of("python3", "-c", f"import {names}")


@check("runtimes", "python3 makes a virtual environment")
def _():
    with tempfile.TemporaryDirectory() as folder:
        output_of("python3", "-m", "venv", "--without-pip", folder)
        said = output_of(f"{folder}/bin/python", "-c", "import sys; print(sys.prefix)").strip()
        want(said == folder, f"its prefix is {said}")
