"""The verbs of the kill campaign: what each needs, when it is over, and what must hold after a kill.

What was acknowledged is there; what was not is done or not done, and a name is taken or free. A session can be started,
or is gone.
"""
import contextlib
import os
import signal

from support.eventually import eventually
from support.kill_campaign import LIMIT, MACHINE, Verb


class CreateNamed(Verb):
    name = "create -n"

    def prepare(self):
        return next(self.campaign.names)

    def command(self, context):
        return ("create", "-q", "-n", context, *MACHINE)

    def is_over(self, context):
        return "creating" not in self.home.rows().values()

    def judge(self, context, found, acknowledged, has_hit):
        there = self.named(found, context)
        assert there or not acknowledged, "it was created, and is not there"
        if there:
            assert there["kind"] == "persistent" and there["state"] in ("creating", "running", "stopped"), there
            self.starts(there["id"])
        else:
            self.is_free(context)

    def clean(self, context):
        there = self.named(self.home.sessions(), context)
        if there:
            self.home.ok("delete", there["id"])
            self.is_free(context)


class Create(Verb):
    """Its session goes with its machine, and that with a service which has not taken it over yet."""
    name = "create"

    def prepare(self):
        return set(self.home.sessions())

    def command(self, context):
        return ("create", "-q", *MACHINE)

    def is_over(self, context):
        return "creating" not in self.home.rows().values()

    def judge(self, context, found, acknowledged, has_hit):
        for session in set(found) - context:
            assert found[session]["kind"] == "ephemeral" and found[session]["state"] == "running", found[session]
            assert self.home.exec(session, "true").code == 0

    def clean(self, context):
        for session in set(self.home.sessions()) - context:
            self.home.ok("delete", session)


class Persist(Verb):
    """On one machine all the time: what was persisted is made ephemeral again, in the row, while no service runs."""
    name = "persist"
    session = None

    def prepare(self):
        if self.session is None:
            self.session = self.home.create(*MACHINE)
            assert self.home.exec(self.session, "true").code == 0
            eventually("it is recorded as running", 10, lambda: self.home.rows()[self.session] == "running")
        return next(self.campaign.names)

    def command(self, context):
        return ("persist", self.session, context)

    def judge(self, context, found, acknowledged, has_hit):
        there = found[self.session]
        persisted = there["kind"] == "persistent" and there.get("name") == context
        untouched = there["kind"] == "ephemeral" and not there.get("name")
        assert persisted or (untouched and not acknowledged), there
        assert self.home.exec(self.session, "true").code == 0

    def clean(self, context):
        self.home.kill()
        self.home.forge(self.session, kind="ephemeral", name=None)
        self.home.start()
        assert self.home.exec(self.session, "true").code == 0


class Rename(Verb):
    name = "rename"
    session = None

    def prepare(self):
        self.session = self.session or self.campaign.stopped(next(self.campaign.names))
        return self.home.info(self.session)["name"], next(self.campaign.names)

    def command(self, context):
        return ("rename", self.session, context[1])

    def judge(self, context, found, acknowledged, has_hit):
        old, new = context
        name = found[self.session]["name"]
        assert name == new or (name == old and not acknowledged), found[self.session]
        self.is_free(old if name == new else new)


class Start(Verb):
    """Answered when it is starting: a machine that nobody has taken over goes with the service, the session stays."""
    name = "start"
    session = None

    def prepare(self):
        self.session = self.session or self.campaign.stopped(next(self.campaign.names))
        return self.session

    def command(self, context):
        return ("start", context)

    def is_over(self, context):
        return self.is_settled(context)

    def judge(self, context, found, acknowledged, has_hit):
        assert found[context]["state"] in ("creating", "running", "stopped"), found[context]

    def clean(self, context):
        self.starts(context)


class Stop(Verb):
    """Of a machine whose guest is asked to power off."""
    name = "stop"
    session = None

    def prepare(self):
        self.session = self.session or self.home.create("-n", next(self.campaign.names), *MACHINE)
        self.home.ok("start", self.session)
        assert self.home.exec(self.session, "true").code == 0
        eventually("it is recorded as running", 10, lambda: self.home.rows()[self.session] == "running")
        return self.session

    def command(self, context):
        return ("stop", context)

    def judge(self, context, found, acknowledged, has_hit):
        assert not acknowledged or found[context]["state"] == "stopped", found[context]
        # A guest that was told to power off does so, whoever has told it.
        state = eventually("it has stopped or goes on", LIMIT, lambda: self._settled(context))
        assert state in ("running", "stopped"), self.home.info(context)

    def _settled(self, session):
        """One that runs says so by running a command."""
        state = self.home.info(session)["state"]
        return state if state != "running" or self.home.exec(session, "true").code == 0 else None

    def clean(self, context):
        if self.home.info(context)["state"] == "running":
            self.home.ok("stop", context)


class Delete(Verb):
    name = "delete"

    def prepare(self):
        name = next(self.campaign.names)
        return name, self.campaign.stopped(name)

    def command(self, context):
        return ("delete", context[1])

    def judge(self, context, found, acknowledged, has_hit):
        name, session = context
        assert session not in found or not acknowledged, found[session]
        if session in found:
            assert found[session]["name"] == name
            self.starts(session)
        else:
            self.is_free(name)

    def clean(self, context):
        if context[1] in self.home.sessions():
            self.home.ok("delete", context[1])


class DeleteStarting(Verb):
    name = "delete of one that starts"

    def prepare(self):
        return self.home.create(*MACHINE)

    def command(self, context):
        return ("delete", context)

    def judge(self, context, found, acknowledged, has_hit):
        assert context not in found, found[context]


class Purge(Verb):
    """Of two that have failed: their logs are all that is left of them."""
    name = "purge"

    def prepare(self):
        sessions = [self.home.create(*MACHINE) for _ in range(2)]
        for session in sessions:
            eventually("it has a process", 30, lambda session=session: self.kill_process(session))
            eventually("it has failed", 30, lambda session=session: self.home.info(session)["state"] == "failed")
        return sessions

    def kill_process(self, session):
        pid = self.home.info(session)["process_pid"]
        if pid:
            os.kill(pid, signal.SIGKILL)
        return pid

    def command(self, context):
        return ("purge", "-y")

    def judge(self, context, found, acknowledged, has_hit):
        left = [session for session in context if session in found]
        assert not left or not acknowledged, left
        assert all(found[session]["state"] == "failed" for session in left), found

    def clean(self, context):
        self.home.ok("purge", "-y")


class OfStarting(Verb):
    """The victim is a process that the verb starts: the campaign's launcher does, under strace."""

    @contextlib.contextmanager
    def blow(self, context, point):
        self.campaign.launcher.aim(point)
        yield self.campaign.launcher
        self.campaign.launcher.off()

    def record(self, context):
        launcher = self.campaign.launcher
        launcher.record()
        self.home.ok(*self.command(context))
        eventually("the verb is over", LIMIT, lambda: self.is_over(context))
        points = launcher.recorded(self.started())
        launcher.off()
        return points

    def started(self):
        """The pid of the one that a recorded run has started."""
        raise NotImplementedError


class Adopt(OfStarting):
    """The start of a service after a crash that has left half of everything."""
    name = "start of the service"

    def prepare(self):
        session = self.campaign.stopped(next(self.campaign.names))
        self.home.kill()
        folder = self.home.session_folder(session)
        os.mkdir(self.home.session_folder("aaaaaaaaaaaa"), 0o700)
        os.mkdir(self.home.session_folder("aaaaaaaaaaaa/guest"), 0o700)
        for path in (f"{folder}/disk.img.new", f"{folder}/process.sock~", self.home.session_folder("aaaaaaaaaaaa/disk.img")):
            with open(path, "wb") as file:
                file.write(b"cut short")
        self.home.forge(session, state="creating")
        return session

    def command(self, context):
        return ("list", "--json")

    def is_over(self, context):
        """Its adoption is, too."""
        return self.home.exec(self.campaign.runner, "true").code == 0

    def started(self):
        return self.home.service_pid()

    def judge(self, context, found, acknowledged, has_hit):
        assert found[context]["state"] == "stopped", found[context]
        assert "aaaaaaaaaaaa" not in found

    def clean(self, context):
        self.home.ok("delete", context)


class OfMachine(Verb):
    """The victim is the capsem-process of the verb's session; the service goes on, and says how the session is."""
    process = "capsem-process"

    def victim(self, context):
        return self.home.info(self.session)["process_pid"]

    def failed_or(self, session, *states):
        """A machine that has lost its process has failed, unless it was over before."""
        state = eventually("its end is seen", LIMIT, lambda: (now := self.home.info(session)["state"]) != "creating" and now)
        assert state in ("failed", *states), self.home.info(session)
        if state == "failed":
            assert "killed" in self.home.info(session)["reason"].lower(), self.home.info(session)


class Launched(OfStarting, OfMachine):
    """The victim is one that the verb starts."""

    def started(self):
        [pid] = {one["process_pid"] for session, one in self.home.sessions().items()
                 if session not in (self.campaign.runner, self.campaign.witness) and one["process_pid"]}
        return pid


class CreateNamedProcess(Launched, CreateNamed):
    def judge(self, context, found, acknowledged, has_hit):
        there = self.named(found, context)
        assert there or not acknowledged
        if there:
            self.failed_or(there["id"], *(() if has_hit else ("running",)))
            self.campaign.launcher.off()
            self.starts(there["id"])


class CreateProcess(Launched, Create):
    def judge(self, context, found, acknowledged, has_hit):
        for session in set(found) - context:
            self.failed_or(session, *(() if has_hit else ("running",)))


class StartProcess(Launched, Start):
    def judge(self, context, found, acknowledged, has_hit):
        self.failed_or(context, *(() if has_hit else ("running",)))


class StopProcess(OfMachine, Stop):
    def judge(self, context, found, acknowledged, has_hit):
        self.failed_or(context, "stopped")

    def clean(self, context):
        self.starts(context)


class PersistProcess(OfMachine, Persist):
    def judge(self, context, found, acknowledged, has_hit):
        there = self.home.info(self.session)
        if has_hit:
            self.failed_or(self.session)
        assert not acknowledged or (there["kind"] == "persistent" and there["name"] == context), there

    def clean(self, context):
        self.home.ok("delete", self.session)
        self.session = None


OF_SERVICE = (CreateNamed, Create, Persist, Rename, Start, Stop, Delete, DeleteStarting, Purge)
OF_MACHINE = (StopProcess, PersistProcess)
LAUNCHED = (CreateNamedProcess, CreateProcess, StartProcess)
