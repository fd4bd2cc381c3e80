"""A gRPC client made from the .proto files alone: what anybody else's client would see."""
import dataclasses
import fcntl
import hashlib
import importlib
import itertools
import subprocess
import sys

import grpc

from support import paths

PROTOS = paths.ROOT / "capsem-proto"


def _generate():
    """The folder with the Python stubs of today's .proto files; made once for all test processes."""
    sources = sorted(PROTOS.glob("capsem/v1/*.proto")) + sorted(PROTOS.glob("capsem/process/v1/*.proto"))
    digest = hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()[:16]
    folder = paths.BUILD / "python-stubs" / digest
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / ".done").exists():
            subprocess.run(["/usr/bin/protoc", f"-I{PROTOS}", f"--python_out={folder}", f"--grpc_python_out={folder}",
                            "--plugin=protoc-gen-grpc_python=/usr/bin/grpc_python_plugin", *map(str, sources)],
                           check=True)
            (folder / ".done").touch()
    return folder


sys.path.insert(0, str(_generate()))


def _stub_modules(noun):
    return (importlib.import_module(f"capsem.v1.{noun}_pb2"), importlib.import_module(f"capsem.v1.{noun}_pb2_grpc"))


common_pb2, _ = _stub_modules("common")
sessions_pb2, sessions_grpc = _stub_modules("sessions")
execs_pb2, execs_grpc = _stub_modules("execs")
files_pb2, files_grpc = _stub_modules("files")
images_pb2, images_grpc = _stub_modules("images")
system_pb2, system_grpc = _stub_modules("system")

process_pb2 = importlib.import_module("capsem.process.v1.process_pb2")
process_grpc = importlib.import_module("capsem.process.v1.process_pb2_grpc")

# Seconds; a deadline of the test, so that a call that hangs is an error with a name.
CALL_LIMIT = 120


class Metadata(grpc.UnaryUnaryClientInterceptor, grpc.UnaryStreamClientInterceptor, grpc.StreamStreamClientInterceptor):
    """Puts one pair into the metadata of every call of a channel."""

    def __init__(self, key, value):
        self.pair = (key, value)

    def _call(self, continuation, details, request):
        return continuation(details._replace(metadata=[*(details.metadata or ()), self.pair]), request)

    intercept_unary_unary = intercept_unary_stream = intercept_stream_stream = _call


def error_of(failure):
    """The capsem.v1.Error {code, cause, remedy} that a failed call carries; None when it carries none."""
    for key, value in failure.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            return common_pb2.Error.FromString(value)
    return None


@dataclasses.dataclass
class Result:
    """How a command ended."""
    code: int
    stdout: bytes
    stderr: bytes
    exit: object      # the ExecExit
    session: str
    exec: int
    chunks: list      # ("stdout" or "stderr", bytes), as they came


class Api:
    """The services of one socket."""

    def __init__(self, socket):
        self.channel = grpc.insecure_channel(f"unix:{socket}", options=[("grpc.enable_http_proxy", 0)])
        self.sessions = sessions_grpc.SessionsStub(self.channel)
        self.execs = execs_grpc.ExecsStub(self.channel)
        self.files = files_grpc.FilesStub(self.channel)
        self.images = images_grpc.ImagesStub(self.channel)
        self.system = system_grpc.SystemStub(self.channel)

    def close(self):
        self.channel.close()

    def create(self, **fields):
        env = fields.pop("env", {})
        request = sessions_pb2.CreateSessionRequest(env=environment(env), **fields)
        return self.sessions.Create(request, timeout=CALL_LIMIT)

    def get(self, session):
        return self.sessions.Get(sessions_pb2.GetSessionRequest(session=session), timeout=CALL_LIMIT)

    def list(self):
        return list(self.sessions.List(sessions_pb2.ListSessionsRequest(), timeout=CALL_LIMIT).sessions)

    def stop(self, session, grace_ms=0):
        self.sessions.Stop(sessions_pb2.StopSessionRequest(session=session, grace_ms=grace_ms), timeout=CALL_LIMIT)

    def delete(self, session):
        self.sessions.Delete(sessions_pb2.DeleteSessionRequest(session=session), timeout=CALL_LIMIT)

    def signal(self, session, exec_id, number):
        self.execs.Signal(execs_pb2.SignalRequest(session=session, exec=exec_id, signal=number), timeout=CALL_LIMIT)

    def attach(self, session, exec_id, offset=None, limit=CALL_LIMIT, more=()):
        """The stream of events of a command that was started before; `more` are inputs after the first."""
        request = execs_pb2.ExecAttach(session=session, exec=exec_id, offset=offset)
        return self.execs.Attach(itertools.chain([execs_pb2.ExecInput(attach=request)], more), timeout=limit)

    def execs_of(self, session):
        """{number: ExecInfo} of a session's commands."""
        request = execs_pb2.ListExecsRequest(session=session)
        return {info.exec: info for info in self.execs.List(request, timeout=CALL_LIMIT).execs}

    def detach(self, session, *command, **fields):
        """Starts a command without a reader: its number."""
        first = exec_input(session, *command, detach=True, on_disconnect=execs_pb2.ON_DISCONNECT_KEEP, **fields)
        [started] = self.execs.Exec(iter([first]), timeout=CALL_LIMIT)
        return started.started.exec

    def write_file(self, session, path, *pieces, commit=True, **fields):
        """The FileInfo of what was written."""
        def inputs():
            yield files_pb2.WriteFileInput(start=files_pb2.WriteFileStart(session=session, path=path, **fields))
            for piece in pieces:
                yield files_pb2.WriteFileInput(data=piece)
            if commit:
                yield files_pb2.WriteFileInput(commit=True)
        [event] = self.files.Write(inputs(), timeout=CALL_LIMIT)
        return event.written

    def read_file(self, session, path):
        """(FileInfo, bytes)."""
        events = list(self.files.Read(files_pb2.ReadFileRequest(session=session, path=path), timeout=CALL_LIMIT))
        return events[0].info, b"".join(event.data for event in events[1:])

    def list_files(self, session, path):
        """{name: FileInfo}."""
        request = files_pb2.ListFilesRequest(session=session, path=path)
        return {entry.name: entry.info for some in self.files.List(request, timeout=CALL_LIMIT) for entry in some.entries}

    def stat_file(self, session, path, follow=False):
        return self.files.Stat(files_pb2.StatFileRequest(session=session, path=path, follow=follow), timeout=CALL_LIMIT)

    def status(self):
        return self.system.Status(system_pb2.StatusRequest(), timeout=CALL_LIMIT)

    def start(self, session, *command, stdin=None, limit=CALL_LIMIT, **fields):
        """The stream of a command's events. One word is for the shell, several are an argv; `stdin` is a list of bytes."""
        return self.execs.Exec(inputs(exec_input(session, *command, stdin=stdin, **fields), stdin), timeout=limit)

    def exec(self, session, *command, stdin=None, limit=CALL_LIMIT, **fields):
        """Runs a command to its end."""
        return collect(self.start(session, *command, stdin=stdin, limit=limit, **fields))

    def run(self, *command, session=None, stdin=None, limit=CALL_LIMIT, **fields):
        """Runs a command in a machine of its own."""
        start = exec_input("", *command, stdin=stdin, **fields).start
        first = execs_pb2.ExecInput(run=execs_pb2.RunStart(exec=start, session=session))
        return collect(self.execs.Run(inputs(first, stdin), timeout=limit))


def argv_input(session, *argv, **fields):
    """The first input of a command given as an argv, whatever is in it: for what must be refused, too."""
    return execs_pb2.ExecInput(start=execs_pb2.ExecStart(session=session, argv=argv, **fields))


def exec_argv(api, session, *argv, **fields):
    """Runs an argv to its end."""
    return collect(api.execs.Exec(iter([argv_input(session, *argv, **fields)]), timeout=CALL_LIMIT))


def environment(variables):
    return [common_pb2.EnvVar(key=key, value=value) for key, value in variables.items()]


def exec_input(session, *command, stdin=None, env=None, **fields):
    start = execs_pb2.ExecStart(session=session, env=environment(env or {}), stdin_open=stdin is not None, **fields)
    if len(command) == 1:
        start.shell = command[0]
    else:
        start.argv.extend(command)
    return execs_pb2.ExecInput(start=start)


def inputs(first, stdin):
    """The input messages of a call: its start, then stdin in pieces, then its end."""
    if stdin is None:
        return iter([first])
    pieces = (execs_pb2.ExecInput(stdin=piece) for piece in stdin)
    return itertools.chain([first], pieces, [execs_pb2.ExecInput(stdin_eof=True)])


def collect(events):
    """The Result of a stream that must end with its exit."""
    chunks, started, exit_event = [], None, None
    for event in events:
        kind = event.WhichOneof("kind")
        assert exit_event is None, f"{kind} came after the exit"
        if kind == "started":
            assert started is None and not chunks, "started is first, and comes once"
            started = event.started
        elif kind == "exit":
            exit_event = event.exit
        else:
            chunks.append((kind, getattr(event, kind)))
    assert started is not None and exit_event is not None, "the stream ended without its exit"

    def of(stream):
        return b"".join(data for kind, data in chunks if kind == stream)

    return Result(exit_event.code, of("stdout"), of("stderr"), exit_event, started.session, started.exec, chunks)
