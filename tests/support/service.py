"""A service under test: in a home of its own with a short path, and nothing of it left afterwards.

    with Service() as service:
        session = service.api.create()
        assert service.api.exec(session.id, "echo hi").stdout == b"hi\\n"

On leaving it is told to shut down, and then this holds: no process works in its home, no socket and no session's folder
is there. Whatever is left is printed with the logs, ended, and fails the test, also when the test itself has failed.
"""
import os
import shutil
import signal
import stat
import subprocess
import tempfile

import grpc

from support import cli, paths, process_tree, rpc
from support.eventually import eventually

# Seconds. Ten machines power off at once on two cores that have other work.
SHUTDOWN_LIMIT = 60
# Seconds from the start of the program to its word; it looks at KVM and QEMU first.
READY_LIMIT = 60
# What all tests share of the state: images and their keys are read, the cache is also written.
SHARED = ("images", "keys", "cache")


class Service:
    def __init__(self, own_images=False, start=True, test_rpcs=False, config="", wrapper=(), **variables):
        # Short, for socket paths hold 107 bytes; not in a test's own folder, whose name tells a story.
        self.home = tempfile.mkdtemp(prefix="cs", dir="/tmp")
        if not own_images:
            for name in SHARED:
                (paths.SHARED_HOME / name).mkdir(mode=0o700, parents=True, exist_ok=True)
                os.symlink(paths.SHARED_HOME / name, f"{self.home}/{name}")
        if config:
            with open(f"{self.home}/config.toml", "w", encoding="utf-8") as file:
                file.write(config)
        self.variables = variables
        self.cli = cli.Cli(self.home, **variables)
        self.socket = f"{self.home}/run/service.sock"
        self.programs = paths.BIN
        self.wrapper = wrapper  # words in front of the program, which executes it
        self.process = None
        self._api = None
        self._start_at_enter = start
        self._flags = ["--test-rpcs"] if test_rpcs else []

    @property
    def api(self):
        """Connects at the first use."""
        if self._api is None:
            self._api = rpc.Api(self.socket)
        return self._api

    @property
    def pid(self):
        return self.process.pid

    def start(self):
        """Runs the service as our child until it says that it listens."""
        read_end, write_end = os.pipe()
        # As the service itself makes it.
        with open(f"{self.home}/service.log", "ab", opener=lambda path, how: os.open(path, how, 0o600)) as log:
            self.process = subprocess.Popen(
                [*self.wrapper, f"{self.programs}/capsem-service", "--ready-fd", str(write_end), *self._flags], cwd="/",
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=[write_end], start_new_session=True,
                env=cli.environment(self.home, **self.variables))
        os.close(write_end)
        with os.fdopen(read_end, "rb") as ready:
            said = ready.readline()
        assert said == b"listening\n", f"the service did not get ready: {said!r}\n{self.logs()}"

    def kill(self, how=signal.SIGKILL):
        """As a crash would; the machines go on, for their lease."""
        self.process.send_signal(how)
        self.process.wait()
        self.forget_connection()

    def forget_connection(self):
        if self._api is not None:
            self._api.close()
            self._api = None

    def session_folder(self, session):
        return f"{self.home}/sessions/{session}"

    def processes(self):
        return process_tree.belonging_to(self.home)

    def logs(self):
        """The end of every log in the home, for a person who wonders."""
        text = []
        for folder, _, names in os.walk(self.home):
            for name in sorted(names):
                if name.endswith(".log"):
                    with open(os.path.join(folder, name), "rb") as file:
                        lines = file.read()[-4000:].decode(errors="replace")
                    text.append(f"--- {os.path.relpath(os.path.join(folder, name), self.home)}\n{lines}")
        return "\n".join(text)

    def __enter__(self):
        if self._start_at_enter:
            try:
                self.start()
            except BaseException:
                self._end(failing=True)
                raise
        return self

    def __exit__(self, kind, _value, _trace):
        self._end(failing=kind is not None)

    def _end(self, failing):
        """Shuts down, looks at what is left, ends and removes it; leftovers fail a test that has not failed yet."""
        trouble = []
        try:
            if failing:
                print(self.logs())
            self._shut_down(trouble)
            trouble += self._leftovers()
        finally:
            self.forget_connection()
            self._kill_all()
            shutil.rmtree(self.home, ignore_errors=True)
        if trouble:
            text = "\n".join(trouble)
            if failing:
                print(text)
            else:
                raise AssertionError(text)

    def _shut_down(self, trouble):
        """Whether we started it or the CLI did; one that is gone and has left machines comes back for them."""
        try:
            if self.process is not None and self.process.poll() is not None and self.processes():
                self.cli.run("list")
            rpc.Api(self.socket).system.Shutdown(rpc.system_pb2.ShutdownRequest(), timeout=SHUTDOWN_LIMIT)
        except grpc.RpcError as error:
            if error.code() != grpc.StatusCode.UNAVAILABLE:
                trouble.append(f"Shutdown failed: {error.code()}: {error.details()}\n{self.logs()}")
        if self.process is not None:
            try:
                self.process.wait(SHUTDOWN_LIMIT)
            except subprocess.TimeoutExpired:
                trouble.append(f"the service did not leave within {SHUTDOWN_LIMIT} s\n{self.logs()}")

    def _leftovers(self):
        trouble = []
        try:
            eventually("no process works in the home", 10, lambda: not self.processes())
        except AssertionError:
            named = [f"{process.pid} {process.name} {process.command_line[:4]}" for process in self.processes()]
            trouble.append("processes are left: " + "; ".join(named) + "\n" + self.logs())
        for folder, _, names in os.walk(self.home):
            for name in names:
                path = os.path.join(folder, name)
                if stat.S_ISSOCK(os.lstat(path).st_mode):
                    trouble.append(f"a socket is left: {path}")
        return trouble

    def _kill_all(self):
        for process in self.processes():
            try:
                os.kill(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        if self.process is not None:
            self.process.wait()
