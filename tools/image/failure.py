"""How a build ends badly: a code for the shell, a cause and a remedy for the person at it.

The codes are those of every verb of the command line: chosen by who must act.
"""

import errno
import sys

INVALID_ARGUMENT = 2
NOT_FOUND = 3
FAILED_PRECONDITION = 4
RESOURCE_EXHAUSTED = 5
UNAVAILABLE = 6
CANCELLED = 7
PERMISSION_DENIED = 8
INTERNAL = 125


class Failure(Exception):
    """Ends the program: `cause` says what happened, `remedy` what helps, both as plain words."""

    def __init__(self, code, cause, remedy=""):
        super().__init__(cause)
        self.code = code
        self.cause = cause
        self.remedy = remedy


class Reported(Exception):
    """Ends the program with `code`: a child has already said why."""

    def __init__(self, code):
        super().__init__(f"exit code {code}")
        self.code = code


def from_os_error(error):
    """The same fact as an OSError, with the code and the remedy that fit its errno."""
    where = f": {error.filename}" if error.filename else ""
    cause = f"{(error.strerror or str(error)).lower()}{where}"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        remedy = "free some space there, or choose another folder with CAPSEM_HOME or --state"
        return Failure(RESOURCE_EXHAUSTED, cause, remedy)
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        remedy = "choose a folder that you may write to, with CAPSEM_HOME or --state"
        return Failure(PERMISSION_DENIED, cause, remedy)
    return Failure(INTERNAL, cause)


def report(prefix, failure):
    """Writes cause and remedy to stderr; answers the exit code."""
    print(f"{prefix}: error: {failure.cause}", file=sys.stderr)
    if failure.remedy:
        print(f"{prefix}: what helps: {failure.remedy}", file=sys.stderr)
    return failure.code


def run_main(prefix, main):
    """Runs `main` and turns every way it may end into an exit code with a word on stderr."""
    try:
        return main() or 0
    except Reported as reported:
        return reported.code
    except Failure as failure:
        return report(prefix, failure)
    except KeyboardInterrupt:
        return report(prefix, Failure(CANCELLED, "interrupted; nothing half-made was kept"))
    except OSError as error:
        return report(prefix, from_os_error(error))
