"""The capsem program, as a person or a script runs it."""
import json
import os
import subprocess

from support import paths

# Seconds; ends a test whose command hangs with a word about which one.
LIMIT = 120


def environment(home, **more):
    """What a test's programs see: nothing of the caller's but the PATH of the system."""
    return {"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "HOME": str(home), "CAPSEM_HOME": str(home), "LANG": "C.UTF-8",
            **more}


class Cli:
    def __init__(self, home, **variables):
        self.program = paths.BIN / "capsem"
        self.environment = environment(home, **variables)
        # What comes before the program: another user, a namespace.
        self.prefix = []

    def command(self, *args):
        return [*self.prefix, str(self.program), *(str(arg) if isinstance(arg, int) else os.fspath(arg) for arg in args)]

    def run(self, *args, input=b"", limit=LIMIT, env=None):
        """A finished command: .returncode, .stdout and .stderr in bytes. stdin is a pipe."""
        return subprocess.run(self.command(*args), input=input, capture_output=True, timeout=limit, cwd="/",
                              env={**self.environment, **(env or {})})

    def start(self, *args, env=None, **options):
        """A command that runs: a subprocess.Popen in bytes, with pipes unless told otherwise."""
        streams = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
        return subprocess.Popen(self.command(*args), cwd="/", env={**self.environment, **(env or {})}, **streams)

    def text(self, *args, **options):
        """stdout of a command that must end well."""
        done = self.run(*args, **options)
        assert done.returncode == 0, f"capsem {args}: exit code {done.returncode}\n{done.stderr.decode()}"
        return done.stdout.decode()

    def json(self, *args, **options):
        return json.loads(self.text(*args, "--json", **options))

    def error(self, *args, **options):
        """(exit code, cause, remedy) of a command that must fail."""
        done = self.run(*args, **options)
        assert done.returncode != 0, f"capsem {args} went well: {done.stdout!r}"
        lines = done.stderr.decode().splitlines()
        assert lines and lines[0].startswith("capsem: "), done.stderr
        return done.returncode, lines[0].removeprefix("capsem: "), "\n".join(lines[1:]).strip()
