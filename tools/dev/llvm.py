"""The clang of fuzzing and coverage, and what its tools say of the lines that ran."""
import json
import os
import pathlib
import subprocess
import tempfile

VERSION = "16"  # 14, the one that Debian 12 takes by default, cannot compile all of our C++20
# ccache gives one checkout the objects of another: they may say neither when a header was written nor where.
FLAGS = ["-Xclang", "-fno-pch-timestamp", "-fcoverage-compilation-dir=."]


def environment():
    """What meson needs to build with it."""
    return {**os.environ, "CC": f"ccache clang-{VERSION}", "CXX": f"ccache clang++-{VERSION}"}


def lines(build, programs, profiles, files=()):
    """path → (lines that count, of them run), of these files, or of all, of the programs in the folder `build`."""
    with tempfile.NamedTemporaryFile(suffix=".profdata") as merged:
        subprocess.run([f"llvm-profdata-{VERSION}", "merge", "--failure-mode=all", "-o", merged.name, *profiles], check=True)
        objects = [argument for program in programs[1:] for argument in ("-object", program)]
        said = subprocess.run([f"llvm-cov-{VERSION}", "export", "-summary-only", f"-compilation-dir={build}",
                               f"-instr-profile={merged.name}", programs[0], *objects, *files],
                              check=True, stdout=subprocess.PIPE, text=True).stdout
    summaries = {os.path.normpath(file["filename"]): file["summary"]["lines"] for file in json.loads(said)["data"][0]["files"]}
    return {pathlib.Path(name): (lines["count"], lines["covered"]) for name, lines in summaries.items()}


def percent(lines):
    """Of (lines that count, of them run)."""
    total = sum(count for count, _ in lines)
    return 100 * sum(covered for _, covered in lines) / total if total else 0.0
