"""A service under test with the words that the machine suites use: most of a test is one line of the CLI."""
import contextlib
import hmac
import json
import os
import sqlite3
import stat
import subprocess

from support import process_tree
from support.service import Service


class Result:
    """What one call of the CLI did."""

    def __init__(self, completed):
        self.code = completed.returncode
        self.out = completed.stdout
        self.err = completed.stderr.decode(errors="replace")

    @property
    def text(self):
        return self.out.decode(errors="replace")

    @property
    def json(self):
        return json.loads(self.out)

    def __repr__(self):
        return f"exit {self.code}\nstdout: {self.text[:2000]}\nstderr: {self.err[:2000]}"


class CapsemHome(Service):
    """With test-only verbs of capsem-process on."""

    def __init__(self, **options):
        super().__init__(**{"test_rpcs": True, **options})

    def run(self, *args, stdin=b"", **options):
        return Result(self.cli.run(*args, input=stdin, **options))

    def popen(self, *args, **options):
        return self.cli.start(*args, stdin=subprocess.DEVNULL, **options)

    def ok(self, *args, **options):
        result = self.run(*args, **options)
        assert result.code == 0, f"capsem {' '.join(map(str, args))}: {result}\n{self.logs()}"
        return result

    def create(self, *args):
        return self.ok("create", "-q", *args).text.strip()

    def exec(self, session, *command, **options):
        return self.run("exec", session, "--", *command, **options)

    def info(self, session):
        return self.ok("info", session, "--json").json

    def service_pid(self):
        return self.ok("status", "--json").json["pid"]

    def files(self):
        """{path below the home: mode} of what is this home's own (not the images and the cache that tests share)."""
        found = {}
        for folder, folders, names in os.walk(self.home):
            for entry in [*folders, *names]:
                path = os.path.join(folder, entry)
                mode = os.lstat(path).st_mode
                if not stat.S_ISLNK(mode):
                    found[os.path.relpath(path, self.home)] = mode
        return found

    def machine_stub(self, session):
        """The internal service of one capsem-process as the service calls it: with the secret of its registry's row."""
        import grpc

        from support import rpc
        session = self.info(session)["id"]
        proof = self.prove(session, f"capsem service{session}".encode()).hex()
        channel = grpc.insecure_channel(f"unix:{self.session_folder(session)}/process.sock")
        return rpc.process_grpc.MachineStub(grpc.intercept_channel(channel, rpc.Metadata("capsem-proof", proof)))

    def prove(self, session, what):
        """HMAC-SHA256 by the secret that the registry keeps of a session (process.proto)."""
        with contextlib.closing(sqlite3.connect(f"file:{self.home}/registry.db?mode=ro", uri=True)) as registry:
            [[secret]] = registry.execute("SELECT secret FROM sessions WHERE id = ?", [self.info(session)["id"]])
        return hmac.digest(secret.encode(), what, "sha256")


def alive(pid):
    found = process_tree.find(pid)
    return found is not None and found.state != "Z"

