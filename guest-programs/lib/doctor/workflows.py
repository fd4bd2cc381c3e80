"""What an agent does all day."""
import http.server
import os
import pathlib
import sqlite3
import tempfile
import threading
import time

from doctor.checks import LIMIT, Broken, check, output_of, want


@check("workflows", "write a script, make it executable, run it")
def _():
    with tempfile.TemporaryDirectory(dir="/workspace") as folder:
        script = pathlib.Path(folder) / "hello"
        script.write_text("#!/bin/sh\necho \"hello $1\"\n", encoding="ascii")
        script.chmod(0o755)
        want(output_of(str(script), "you") == "hello you\n", "it said something else")


@check("workflows", "git: init, commit, branch, log")
def _():
    with tempfile.TemporaryDirectory() as folder:
        def git(*words):
            return output_of("git", "-C", folder, "-c", "user.name=doctor", "-c", "user.email=doctor@localhost", *words)
        git("init", "-q", "-b", "main")
        (pathlib.Path(folder) / "file").write_text("one\n", encoding="ascii")
        git("add", "file")
        git("commit", "-q", "-m", "first")
        git("checkout", "-q", "-b", "other")
        want(git("log", "--format=%s").strip() == "first", "the commit is not there")


@check("workflows", "tar and gzip: there and back")
def _():
    with tempfile.TemporaryDirectory() as folder:
        source = pathlib.Path(folder) / "in"
        source.mkdir()
        (source / "bytes").write_bytes(os.urandom(1 << 20))
        output_of("tar", "-C", folder, "-czf", f"{folder}/x.tgz", "in")
        (pathlib.Path(folder) / "out").mkdir()
        output_of("tar", "-C", f"{folder}/out", "-xzf", f"{folder}/x.tgz")
        want((source / "bytes").read_bytes() == (pathlib.Path(folder) / "out/in/bytes").read_bytes(), "bytes changed")


@check("workflows", "a pipe of programs")
def _():
    said = output_of("sh", "-c", "seq 1000 | grep 7 | sort -rn | head -1 | tr -d '\\n'")
    want(said == "997", f"it said {said!r}")


@check("workflows", "a server on the loopback, and curl")
def _():
    class Hello(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"hello")

        def log_message(self, *_args):
            pass
    with http.server.HTTPServer(("127.0.0.1", 0), Hello) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        said = output_of("curl", "-s", "--noproxy", "*", f"http://127.0.0.1:{server.server_port}/")
    want(said == "hello", f"it said {said!r}")


@check("workflows", "a database that survives its process")
def _():
    with tempfile.TemporaryDirectory(dir="/workspace") as folder:
        with sqlite3.connect(f"{folder}/x.db") as base:
            base.execute("create table t (n)")
            base.execute("insert into t values (42)")
        base.close()
        read = f"import sqlite3; print(*sqlite3.connect('{folder}/x.db').execute('select n from t'))"
        said = output_of("python3", "-c", read)
        want(said.strip() == "(42,)", f"it said {said!r}")


@check("workflows", "32 MiB to the disk and back, synced")
def _():
    with tempfile.NamedTemporaryFile(dir="/workspace") as file:
        block = os.urandom(1 << 20)
        for _turn in range(32):
            file.write(block)
        file.flush()
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        file.seek(0)
        want(all(file.read(1 << 20) == block for _turn in range(32)), "other bytes came back")


@check("workflows", "processes in the background end and are reaped")
def _():
    output_of("sh", "-c", "for i in 1 2 3 4 5 6 7 8; do (true &) ; done")
    deadline = time.monotonic() + LIMIT
    while time.monotonic() < deadline:
        if not any(line.split()[0] == "Z" for line in output_of("ps", "-eo", "stat=,ppid=").splitlines()):
            return
    raise Broken("zombies stay")
