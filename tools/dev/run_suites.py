"""Runs the test suites of tools/test and counts: the last line is `N passed, N failed`.

A suite that crashes, runs into its limit or tells no counts is one failure, never silence.
"""
import argparse
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import traceback
import xml.etree.ElementTree

import proofs

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / "build"
REPORTS = BUILD / "reports"
PYTHON = "/usr/bin/python3"

BLACK_BOX = [PYTHON, "-m", "pytest", "-n", "4", "--dist=loadfile", "-p", "no:cacheprovider"]

# Seconds. The whole of tools/test stays under 20 minutes on 2 cores; these only end what hangs.
CHECK_LIMIT = 300
UNIT_LIMIT = 600
IMAGE_LIMIT = 900
BLACK_BOX_LIMIT = 1200
SMOKE_LIMIT = 300
# Compiling with clang, the first time, is most of it.
FUZZ_LIMIT = 900


def bounded(limit, *command, env=None):
    """The exit code of a command with a time limit; its output goes where ours goes."""
    sys.stdout.flush()
    return subprocess.call([ROOT / "tools/dev/bounded", str(limit), *command], cwd=ROOT,
                           env={**os.environ, **(env or {})})


def counted(code, passed, failed):
    """A suite's counts; a bad exit that no failed test explains is one failure more."""
    return passed, failed + (1 if code != 0 and failed == 0 else 0)


def junit_counts(path):
    """(passed, failed) of a JUnit file; (0, 1) when there is none that can be read."""
    try:
        root = xml.etree.ElementTree.parse(path).getroot()
    except (OSError, xml.etree.ElementTree.ParseError) as error:
        print(f"{path}: {error}")
        return 0, 1
    suites = [root] if root.tag == "testsuite" else root.findall("testsuite")
    total = {name: sum(int(suite.get(name, 0)) for suite in suites)
             for name in ("tests", "failures", "errors", "skipped")}
    failed = total["failures"] + total["errors"]
    return max(0, total["tests"] - failed - total["skipped"]), failed


def catch_counts(output):
    """(passed, failed) test cases from what Catch2 prints last; None when it did not get that far."""
    every = re.search(r"^All tests passed \(.* in (\d+) test cases?\)", output, re.MULTILINE)
    if every:
        return int(every.group(1)), 0
    if re.search(r"^No tests ran", output, re.MULTILINE):
        return 0, 1  # a program of tests without any is a mistake in the build
    # test cases: 12 | 11 passed | 1 failed
    line = re.search(r"^test cases: .*", output, re.MULTILINE)
    if not line:
        return None
    counts = {word: int(number) for number, word in re.findall(r"(\d+) (passed|failed)", line.group(0))}
    return counts.get("passed", 0), counts.get("failed", 0)


def pytest_counts(output):
    """(passed, failed) from the last line of pytest -q; None when it is none."""
    last = output.rstrip().rpartition("\n")[2]
    counts = {word: int(number) for number, word in re.findall(r"(\d+) (passed|failed|error)", last)}
    return (counts.get("passed", 0), counts.get("failed", 0) + counts.get("error", 0)) if counts else None


def meson_counts(log):
    """(passed, failed) of meson's testlog.json: test cases where a program tells them, else programs."""
    passed = failed = 0
    for line in log.splitlines():
        test = json.loads(line)
        succeeded = test["result"] in ("OK", "EXPECTEDFAIL")
        said = test.get("stdout", "")
        good, bad = catch_counts(said) or pytest_counts(said) or ((1, 0) if succeeded else (0, 1))
        if not succeeded and bad == 0:
            bad = 1
        passed, failed = passed + good, failed + bad
    return passed, failed


def run_check(options):
    report = REPORTS / "check.json"
    report.unlink(missing_ok=True)
    steps = ["--fast"] if options.smoke else []
    code = bounded(CHECK_LIMIT, ROOT / "tools/dev/check", "--report", report, *steps)
    if not report.exists():
        return 0, 1
    counts = json.loads(report.read_text())
    return counted(code, counts["passed"], counts["failed"])


def run_unit(_options):
    log = BUILD / "meson-logs/testlog.json"
    log.unlink(missing_ok=True)
    code = bounded(UNIT_LIMIT, "meson", "test", "-C", BUILD, "--no-rebuild", "--suite", "unit", "--print-errorlogs")
    if not log.exists():
        return 0, 1
    return counted(code, *meson_counts(log.read_text()))


def build_image():
    """The image that all black-box tests share, in the build folder. By a short path, as the tests' services have it:
    the path of a checkout may be too long for sockets below it."""
    with tempfile.TemporaryDirectory(prefix="cs", dir="/tmp") as home:
        for name in ("images", "keys", "cache"):
            (BUILD / "test-home" / name).mkdir(mode=0o700, parents=True, exist_ok=True)
            os.symlink(BUILD / "test-home" / name, f"{home}/{name}")
        code = bounded(IMAGE_LIMIT, BUILD / "bin/capsem", "image", "build", env={"CAPSEM_HOME": home})
    if code != 0:
        print("the image `base` could not be built: no black-box test can run")
    return code == 0


def run_fuzz(_options):
    """Each corpus, what it covers, and the planted bugs: fuzzing for its own sake is a long form."""
    sys.stdout.flush()
    done = subprocess.run([ROOT / "tools/dev/bounded", str(FUZZ_LIMIT), ROOT / "tools/dev/fuzz", "--planted"], cwd=ROOT,
                          text=True, stdout=subprocess.PIPE)
    print(done.stdout, end="")
    return counted(done.returncode, *(proofs.told_counts(done.stdout) or (0, 1)))


def run_black_box(options):
    if not build_image():
        return 0, 1
    report = REPORTS / "black-box.xml"
    report.unlink(missing_ok=True)
    selected, limit = (["-m", "smoke"], SMOKE_LIMIT) if options.smoke else ([], BLACK_BOX_LIMIT)
    code = bounded(limit, *BLACK_BOX, f"--junitxml={report}", *selected, "tests")
    return counted(code, *junit_counts(report))


SUITES = {"check": run_check, "unit": run_unit, "fuzz": run_fuzz, "black-box": run_black_box}


# ---- the long forms; each may take hours

def long_fuzz(proof):
    """Every target for --size seconds, after its short form."""
    code, said = proof.run(ROOT / "tools/dev/fuzz", "--planted", "--long", str(proof.size or 120), "--seed", str(proof.seed))
    return counted(code, *(proofs.told_counts(said) or (0, 1)))


def long_model(proof):
    """The multiplexer's property test, --size rounds of it."""
    code, said = proof.run(BUILD / "capsem-proto/wire/wire_test", "random traffic*", CAPSEM_PROPERTY_SEED=str(proof.seed),
                           CAPSEM_PROPERTY_ROUNDS=str(proof.size or 20000))
    return counted(code, *(catch_counts(said) or (0, 1)))


def long_program(proof):
    """A program of tools/dev that has the proof's name, and counts as we do."""
    code, said = proof.run(ROOT / "tools/dev" / proof.name)
    return counted(code, *(proofs.told_counts(said) or (0, 1)))


def long_coverage(proof):
    """On real machines, too."""
    return long_program(proof) if build_image() else (0, 1)


def long_black_box(proof):
    """The tests on real machines that carry the markers `long` and the proof's name."""
    if not build_image():
        return 0, 1
    report = REPORTS / f"long-{proof.name}.xml"
    report.unlink(missing_ok=True)
    code, _said = proof.run(*BLACK_BOX, f"--junitxml={report}", "-rP", "-m", f"long and {proof.name}",
                            "tests")
    return counted(code, *junit_counts(report))


LONG = {"fuzz": long_fuzz, "model": long_model, "sanitize": long_program, "coverage": long_coverage}


def run_long(options):
    proof = proofs.Proof(options.long, options)
    passed, failed = LONG.get(options.long, long_black_box)(proof)
    proof.write(passed, failed)
    return passed, failed


def chosen(options):
    if options.only:
        return options.only
    return ["check", "black-box"] if options.smoke else list(SUITES)


def main():
    parser = argparse.ArgumentParser(prog="tools/test", description="All tests; the last line says how many passed.")
    parser.add_argument("--smoke", action="store_true", help="one test of each suite, in about a minute")
    parser.add_argument("--long", metavar="NAME", help="the long form of one proof")
    parser.add_argument("--size", type=int, metavar="N",
                        help="how much of a long form: seconds for each target of fuzz, rounds of model")
    parser.add_argument("--only", action="append", choices=list(SUITES), help="this suite; may be given again")
    options = parser.parse_args()
    REPORTS.mkdir(parents=True, exist_ok=True)
    passed = failed = 0
    suites = {options.long: run_long} if options.long else {name: SUITES[name] for name in chosen(options)}
    for name, suite in suites.items():
        print(f"=== {name}", flush=True)
        try:
            good, bad = suite(options)
        except Exception:  # of ours, while counting: a failure like any other, and the last line is still said
            traceback.print_exc()
            good, bad = 0, 1
        print(f"=== {name}: {good} passed, {bad} failed", flush=True)
        passed, failed = passed + good, failed + bad
    print(f"{passed} passed, {failed} failed")
    return 0 if failed == 0 and passed > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
