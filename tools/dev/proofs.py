"""The long forms of the proofs: `tools/test --long NAME`. What one says goes to the screen and to docs/proofs/NAME.md,
under a short header (commit, seed, duration, result); each run overwrites the one before.

A NAME that is not in LONG is a pytest marker: the black-box tests that carry it and `long`.
"""
import os
import pathlib
import random
import re
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROOFS = ROOT / "docs/proofs"
# Seconds; these only end what hangs.
LIMIT = 4 * 3600


class Proof:
    """Runs commands and keeps what they say."""

    def __init__(self, name, options):
        self.name = name
        self.size = options.size
        self.seed = random.SystemRandom().randrange(1, 1 << 31)
        self.said = []
        self._command = f"./tools/test --long {name}" + (f" --size {options.size}" if options.size else "")
        self._commit = commit()  # before the proof itself changes a file
        self._started = time.monotonic()
        self._date = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())

    def run(self, *command, **variables):
        """(exit code, what was said) of a command; 124 when it takes longer than LIMIT."""
        print(f"$ {' '.join(map(str, command))}", flush=True)
        lines = []
        with subprocess.Popen([ROOT / "tools/dev/bounded", str(LIMIT), *command], cwd=ROOT, text=True, errors="replace",
                              env={**os.environ, **variables}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as child:
            for line in child.stdout:
                print(line, end="", flush=True)
                lines.append(line)
        self.said += lines
        return child.returncode, "".join(lines)

    def write(self, passed, failed):
        PROOFS.mkdir(exist_ok=True)
        said = "".join(self.said).replace(f"{ROOT}/", "")
        (PROOFS / f"{self.name}.md").write_text(
            f"# {self.name}\n\n"
            f"- command: `{self._command}`\n- commit: {self._commit}\n- date: {self._date}\n- seed: {self.seed}\n"
            f"- duration: {time.monotonic() - self._started:.0f} s on {os.cpu_count()} processors\n"
            f"- result: {passed} passed, {failed} failed\n\n"
            "```\n" + "".join(f"{line.rstrip()}\n" for line in said.splitlines()) + "```\n")


def commit():
    def git(*arguments):
        return subprocess.run(["git", *arguments], cwd=ROOT, text=True, capture_output=True).stdout.strip()
    # The proofs themselves do not count: a second one may be run after a first.
    changed = git("status", "--porcelain", "--untracked-files=no", "--", ".", ":!docs/proofs")
    return git("rev-parse", "HEAD") + (" with changes that are not committed" if changed else "")


def told_counts(output):
    """(passed, failed) from a last line `N passed, N failed`; None when it is none."""
    last = re.fullmatch(r"(\d+) passed, (\d+) failed", output.rstrip().rpartition("\n")[2])
    return last and (int(last.group(1)), int(last.group(2)))
