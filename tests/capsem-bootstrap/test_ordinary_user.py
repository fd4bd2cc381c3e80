"""A new user of this host, with rights to nothing but their home: image build, create, exec, delete."""
import grp
import os
import pathlib
import pwd
import shutil
import signal
import subprocess
import tempfile

import pytest

from support import cli, mounts, paths, process_tree
from support.eventually import eventually

pytestmark = pytest.mark.bootstrap

# Seconds for an image from nothing, as the user; it takes 40 when nobody else works.
BUILD_LIMIT = 400
ID_FILES = ("/etc/subuid", "/etc/subgid")
ACCOUNT_FILES = ("/etc/passwd", "/etc/shadow", "/etc/group", "/etc/gshadow", *ID_FILES)


class Person:
    """A user that lives as long as the test, the programs where they can read them, and their `capsem`."""

    def __init__(self, folder, name, subordinate_ids):
        self.folder, self.name = folder, name
        self.home = f"{folder}/home"
        count = 65536 if subordinate_ids else 0
        system("useradd", "--create-home", "--home-dir", self.home, "--user-group", "--shell", "/bin/sh",
               "-K", f"SUB_UID_COUNT={count}", "-K", f"SUB_GID_COUNT={count}", name)
        self.account = pwd.getpwnam(name)
        self.cli = cli.Cli(f"{self.home}/state")
        self.cli.environment["HOME"] = self.home
        self.cli.program = f"{folder}/checkout/build/bin/capsem"
        self.cli.prefix = ["setpriv", f"--reuid={name}", f"--regid={name}", "--init-groups"]

    def processes(self):
        """Also those that have left the state folder: whatever runs as this user."""
        uid = str(self.account.pw_uid)
        return [process for process in process_tree.everybody()
                if process.state != "Z" and uid in process.status.get("Uid", "").split()]

    def remove(self):
        for process in self.processes():
            os.kill(process.pid, signal.SIGKILL)
        eventually(f"the processes of {self.name} are gone", 10, lambda: not self.processes())
        system("userdel", self.name)


def system(*command):
    done = subprocess.run(command, env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}, text=True, capture_output=True)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"


def lines_of(name):
    """Lines of the account files that tell of a user."""
    found = []
    for path in ACCOUNT_FILES:
        if os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                found += [f"{path}: {line.strip()}" for line in file if name in line]
    return found


@pytest.fixture(scope="module")
def folder():
    """Where another user can go and read, which neither pytest's folders nor a checkout below /root are."""
    assert os.geteuid() == 0, "only root can create a user: run this suite as root"
    with tempfile.TemporaryDirectory(prefix="cs", dir="/tmp") as path:
        os.chmod(path, 0o755)
        umask = os.umask(0o022)
        shutil.copytree(paths.BIN, f"{path}/checkout/build/bin")
        shutil.copytree(paths.ROOT / "tools/image", f"{path}/checkout/tools/image", ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copytree(paths.ROOT / "guest-programs", f"{path}/checkout/guest-programs")
        os.umask(umask)
        for entry in [path, *pathlib.Path(path).rglob("*")]:
            os.chmod(entry, os.stat(entry).st_mode | (0o055 if os.path.isdir(entry) else 0o044))
        yield path


@pytest.fixture
def new_person(folder):
    """Makes the user; afterwards nothing of them is left, whatever has happened."""
    people = []

    def make(subordinate_ids):
        name = f"capsem-test-{os.getpid()}"
        assert lines_of(name) == []
        people.append(Person(folder, name, subordinate_ids))
        return people[-1]

    yield make
    for person in people:
        person.remove()
        shutil.rmtree(person.home)
        assert lines_of(person.name) == []
        assert person.name not in [group.gr_name for group in grp.getgrall()]


def has_range(path, name):
    with open(path, encoding="utf-8") as file:
        return any(line.split(":")[0] == name for line in file)


def assert_refused_for_want_of_a_user_namespace(done):
    said = done.stderr.decode()
    assert done.returncode == 4, said
    assert "user namespace" in said and "build as root" in said


def build_image(person):
    """Its digest. In a chroot the kernel gives nobody a user namespace: there root has built it for them."""
    asked = subprocess.run([*person.cli.prefix, "unshare", "--map-root-user", "true"], stderr=subprocess.DEVNULL)
    if asked.returncode == 0:
        return person.cli.text("image", "build", limit=BUILD_LIMIT).strip()
    assert_refused_for_want_of_a_user_namespace(person.cli.run("image", "build"))
    for name in ("images", "keys"):
        shutil.copytree(paths.SHARED_HOME / name, f"{person.home}/state/{name}", symlinks=True, dirs_exist_ok=True)
    system("chown", "-R", f"{person.name}:", f"{person.home}/state")
    return os.readlink(paths.SHARED_HOME / "images/base")


@pytest.mark.timeout(BUILD_LIMIT + 180)
def test_image_build_create_exec_delete(new_person):
    person = new_person(subordinate_ids=True)
    assert all(has_range(path, person.name) for path in ID_FILES), f"useradd gave no ranges: {lines_of(person.name)}"
    capsem = person.cli
    digest = build_image(person)
    assert os.readlink(f"{person.home}/state/images/base") == digest
    session = capsem.text("create", "-q").strip()
    done = capsem.run("exec", session, "--", "sh", "-c", "id -u; uname -r")
    assert (done.returncode, done.stdout.splitlines()[0]) == (0, b"0"), done.stderr
    assert {process.name for process in person.processes()} >= {"capsem-service", "capsem-process"}
    capsem.text("delete", session)
    assert os.listdir(f"{person.home}/state/sessions") == []
    assert {process.name for process in person.processes()} == {"capsem-service", "capsem-gateway"}
    capsem.text("service", "stop")
    eventually("nothing runs as the user", 10, lambda: not person.processes())
    foreign = [path for path in pathlib.Path(person.home).rglob("*") if path.lstat().st_uid != person.account.pw_uid]
    assert foreign == []


def test_where_user_namespaces_are_refused_the_build_says_so(new_person, tmp_path):
    person = new_person(subordinate_ids=True)
    person.cli.prefix = [*mounts.privately(f"mount --rbind / {tmp_path}"), "chroot", tmp_path, *person.cli.prefix]
    assert_refused_for_want_of_a_user_namespace(person.cli.run("image", "build"))
    assert person.processes() == []


@pytest.mark.smoke
def test_without_subordinate_ids_the_lines_to_add_are_said(new_person):
    person = new_person(subordinate_ids=False)
    assert not any(has_range(path, person.name) for path in ID_FILES if os.path.exists(path))
    done = person.cli.run("image", "build")
    said = done.stderr.decode()
    assert done.returncode == 4, said
    for path in ID_FILES:
        assert f"to {path} the line {person.name}:" in said
    assert ":65536" in said
    assert os.listdir(f"{person.home}/state/images") == []
    assert person.processes() == []
