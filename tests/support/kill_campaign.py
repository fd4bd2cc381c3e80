"""The kill campaign: verbs, each hit at one point after the other, and what must hold after each.

A campaign has a home of its own, with a cache of its own. Two sessions are there all the time, and nothing that happens
to others may change them: `witness`, which is stopped, and `runner`, whose machine goes on through every death of the
service. After each point the service is back, what was acknowledged is there, what was not is done or not done, and
nothing is left behind (leaks.py).
"""
import contextlib
import itertools
import os
import signal
import sqlite3
import subprocess

from support import leaks, paths, process_tree, strike
from support.capsem_home import CapsemHome
from support.eventually import eventually

# Seconds: a boot when two cores have other work, and a thread of it is traced.
LIMIT = 90
# One machine of a size that many fit into any host.
MACHINE = ("--memory", "256")
# Of the shared cache, what a boot needs; the rest belongs to `capsem image build`.
CACHE = ("kvm.json", "verdicts", "verdicts-programs", "argv", "empty_disk_*.img")


class CampaignHome(CapsemHome):
    """One pool thread: so that the n-th call of a pool thread is the same call each time. A long lease: a service that is
    killed at its start, and again traced, on a busy host, comes late."""

    def __init__(self, launcher=None):
        super().__init__(own_images=True, test_rpcs=False, config="orphan_lease_s = 600\n", UV_THREADPOOL_SIZE="1")
        for name in ("images", "keys"):
            (paths.SHARED_HOME / name).mkdir(mode=0o700, parents=True, exist_ok=True)
            os.symlink(paths.SHARED_HOME / name, f"{self.home}/{name}")
        os.mkdir(f"{self.home}/cache", mode=0o700)
        there = [path for name in CACHE for path in (paths.SHARED_HOME / "cache").glob(name)]
        if there:
            subprocess.run(["cp", "-a", "--sparse=always", *there, f"{self.home}/cache/"], check=True)
        if launcher:
            self.programs = launcher.programs
            self.cli.program = f"{launcher.programs}/capsem"

    def is_up(self):
        return self.process is not None and self.process.poll() is None

    def come_back(self):
        """A service, whoever has started it; then ours, for ours has one pool thread. What it lists, by id."""
        self.forget_connection()
        if not self.is_up():
            self.start()  # leaves again when a verb has started one
        found = self.sessions()
        if self.service_pid() != self.process.pid:
            self.kill(signal.SIGTERM)
            self.start()
        return found

    def kill(self, how=signal.SIGKILL):
        """Whoever has started it."""
        service = process_tree.find(self.service_pid())
        os.kill(service.pid, how)
        eventually("the service has ended", 30, lambda: self.process.poll() is not None and not service.is_alive())
        self.forget_connection()

    def sessions(self):
        return {one["id"]: one for one in self.ok("list", "--json").json}

    def rows(self):
        """{id: state} as recorded; asks nobody, so that nobody starts for it."""
        with contextlib.closing(sqlite3.connect(f"file:{self.home}/registry.db?mode=ro", uri=True)) as registry:
            return dict(registry.execute("SELECT id, state FROM sessions"))

    def forge(self, session, **columns):
        names = ", ".join(f"{name} = ?" for name in columns)
        with contextlib.closing(sqlite3.connect(f"{self.home}/registry.db")) as db, db:
            db.execute(f"UPDATE sessions SET {names} WHERE id = ?", [*columns.values(), session])


class Campaign:
    def __init__(self, wrapped=None):
        self.launcher = strike.Launcher(wrapped) if wrapped else None
        self.home = CampaignHome(self.launcher)
        self.names = (f"box{number}" for number in itertools.count())
        self.runner = self.witness = self.resting = self._runs = None

    def __enter__(self):
        self.home.__enter__()
        try:
            self._settle()
        except BaseException:
            self.home.__exit__(*(kind := (AssertionError, None, None)))
            raise
        return self

    def __exit__(self, *exception):
        try:
            if self.launcher:
                self.launcher.off()
            self.home.__exit__(*exception)
        finally:
            if self.launcher:
                self.launcher.close()

    def _settle(self):
        home = self.home
        self.witness = self.stopped("witness")
        self.runner = home.create("-n", "runner", *MACHINE)
        self._runs = home.exec(self.runner, "cat", "/proc/sys/kernel/random/boot_id").text, self._pids()
        eventually("it is recorded as running", 10, lambda: home.rows()[self.runner] == "running")
        # As after every point: by a service that has adopted.
        home.kill()
        home.start()
        self._runner_goes_on()
        self.resting = leaks.holdings(home)
        leaks.assert_none(home, self.resting)

    def _pids(self):
        info = self.home.info(self.runner)
        return info["process_pid"], info["machine_pid"]

    def _runner_goes_on(self):
        now = self.home.exec(self.runner, "cat", "/proc/sys/kernel/random/boot_id").text, self._pids()
        assert now == self._runs, f"the runner was {self._runs}, and is {now}"

    def stopped(self, name):
        """A session that stays and does not run; one that had no time to boot."""
        session = self.home.create("-n", name, *MACHINE)
        self.home.ok("stop", session)
        return session

    def hit(self, verb, point):
        """One point: (whether it was reached, the call that was not made)."""
        home = self.home
        context = verb.prepare()
        with verb.blow(context, point) as blow:
            done = home.run(*verb.command(context))
            strike.wait_for(blow, lambda: done.code == 0 and verb.is_over(context), LIMIT)
            blow.disarm()  # what is judged below would reach the point otherwise
            has_hit, where = blow.has_hit(), blow.where()
        if verb.process == "capsem-service" and has_hit:
            home.process.wait(10)
        found = home.come_back()
        verb.judge(context, found, done.code == 0, has_hit)
        self._others_are_as_before()
        verb.clean(context)
        leaks.assert_none(home, self.resting)
        return has_hit, where

    def _others_are_as_before(self):
        self._runner_goes_on()
        found = self.home.info(self.witness)
        assert (found["name"], found["state"]) == ("witness", "stopped"), found

    def record(self, verb):
        """The points of a verb, in their order."""
        context = verb.prepare()
        points = verb.record(context)
        verb.clean(context)
        leaks.assert_none(self.home, self.resting)
        return points


class Verb:
    """One verb on one process. `context` is what `prepare` has made: a session's id, a name."""
    name = ""
    process = "capsem-service"

    def __init__(self, campaign):
        self.campaign = campaign
        self.home = campaign.home

    def victim(self, _context):
        return self.home.process.pid

    def prepare(self):
        raise NotImplementedError

    def command(self, context):
        raise NotImplementedError

    def is_over(self, _context):
        """Nothing more happens because of it."""
        return True

    def judge(self, context, found, acknowledged, has_hit):
        """`found`: what the service lists, by id."""

    def clean(self, context):
        pass

    def blow(self, context, point):
        return strike.Strike(self.victim(context), point)

    def record(self, context):
        with strike.Recording(self.victim(context)) as recording:
            self.home.ok(*self.command(context))
            eventually("the verb is over", LIMIT, lambda: self.is_over(context))
        return recording.points()

    def is_settled(self, session):
        return self.home.rows().get(session, "gone") != "creating"

    def named(self, found, name):
        """The one session of this name, or None."""
        sessions = [one for one in found.values() if one.get("name") == name]
        assert len(sessions) <= 1, sessions
        return sessions[0] if sessions else None

    def starts(self, session):
        """It can be started; and stopped before it has booted."""
        if self.home.info(session)["state"] not in ("creating", "running"):
            self.home.ok("start", session)
        self.home.ok("stop", session)

    def is_free(self, name):
        """The witness may have it."""
        self.home.ok("rename", "witness", name)
        self.home.ok("rename", name, "witness")
