"""What checks are made of: a category, a sentence, and a function that raises Broken when the sentence is not true."""
import pathlib
import subprocess

PROGRAMS = pathlib.Path("/opt/capsem/bin")
NOBODY = 65534
# Seconds; ends a check that hangs. Emulated machines are slow, and others may share the host.
LIMIT = 120
ANOTHER_IMAGE = "use an image that `capsem image build` has made, or add the package to it"
REPORT = "run `capsem image build`; if that does not help, report it with the output of `capsem logs SESSION`"


class Broken(Exception):
    """What is not as it should be, and what helps."""

    def __init__(self, cause, remedy=REPORT):
        super().__init__(cause)
        self.remedy = remedy


CHECKS = []  # (category, sentence, function), in the order of their run


def check(category, sentence):
    def add(function):
        CHECKS.append((category, sentence, function))
        return function
    return add


def want(fact, cause, remedy=REPORT):
    if not fact:
        raise Broken(cause, remedy)


def output_of(*command, **options):
    """stdout of a command that must end well."""
    options = {"stdin": subprocess.DEVNULL, **options}
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=LIMIT,
                          check=False, **options)
    want(done.returncode == 0, f"{' '.join(command)} ended with {done.returncode}: {done.stdout.strip()[-300:]}",
         ANOTHER_IMAGE)
    return done.stdout


def text_of(path):
    return pathlib.Path(path).read_text(encoding="utf-8", errors="replace")


def refused(work, *errors):
    """Whether the kernel refuses it with one of these errors."""
    try:
        work()
    except OSError as error:
        return error.errno in errors
    return False


def mounts():
    """mount point → (file system, options); the last one that was mounted there."""
    found = {}
    for line in text_of("/proc/self/mounts").splitlines():
        _device, point, kind, options, *_rest = line.split()
        found[point] = (kind, options.split(","))
    return found
