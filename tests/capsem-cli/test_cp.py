"""capsem cp: both ways, files and folders, streams; what is left when it breaks off; what a hostile guest gets written."""
import hashlib
import os
import pathlib
import pty
import select
import stat
import subprocess
import threading

import pytest

pytestmark = pytest.mark.cli

MIB = 1 << 20
# Many times what any queue on the way holds, and little for an emulated machine that shares its processor.
BULK = 24 * MIB


@pytest.fixture
def here(tmp_path):
    return tmp_path


def tree_of(folder):
    """{path below: (kind, mode, content)}."""
    found = {}
    for path in sorted(pathlib.Path(folder).rglob("*")):
        mode = path.lstat().st_mode
        content = os.readlink(path) if stat.S_ISLNK(mode) else path.read_bytes() if stat.S_ISREG(mode) else None
        found[os.fsencode(path.relative_to(folder))] = (stat.S_IFMT(mode), mode & 0o777, content)
    return found


def guest(service, session, line):
    return service.api.exec(session, line).stdout


def test_24_mib_there_and_back(module_service, module_session, here):
    data = hashlib.shake_256(b"capsem").digest(MIB) * (BULK // MIB)
    (here / "big").write_bytes(data)
    digest = hashlib.sha256(data).hexdigest().encode()
    module_service.cli.text("cp", here / "big", f"{module_session}:/var/tmp/big")
    assert guest(module_service, module_session, "sha256sum /var/tmp/big").split()[0] == digest
    module_service.cli.text("cp", f"{module_session}:/var/tmp/big", here / "back")
    assert (here / "back").read_bytes() == data
    guest(module_service, module_session, "rm /var/tmp/big")


@pytest.mark.smoke
def test_a_file_right_after_create(module_service, here):
    session = module_service.cli.text("create", "-q").strip()
    (here / "f").write_text("at once")
    module_service.cli.text("cp", here / "f", f"{session}:")
    assert module_service.cli.text("cp", f"{session}:f", "-") == "at once"
    module_service.cli.text("delete", session)


def test_into_a_folder_or_onto_a_name(module_service, module_session, here):
    run = module_service.cli
    (here / "f").write_text("one")
    (here / "f").chmod(0o751)
    run.text("cp", here / "f", f"{module_session}:/var/tmp")
    run.text("cp", here / "f", f"{module_session}:/var/tmp/name with space")
    said = guest(module_service, module_session, "cd /var/tmp; stat -c %a f 'name with space'; cat f 'name with space'")
    assert said == b"751\n751\noneone"
    (here / "d").mkdir()
    run.text("cp", f"{module_session}:/var/tmp/f", here / "d")
    run.text("cp", f"{module_session}:/var/tmp/f", here / "d" / "g")
    assert {path.name: path.stat().st_mode & 0o777 for path in (here / "d").iterdir()} == {"f": 0o751, "g": 0o751}
    (here / "empty").touch()
    run.text("cp", here / "empty", f"{module_session}:/var/tmp/empty")
    run.text("cp", f"{module_session}:/var/tmp/empty", here / "empty2")
    assert (here / "empty2").read_bytes() == b""


def make_tree(source, count):
    for number in range(count):
        folder = source / f"d{number % 10}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"file {number}").write_bytes(b"x" * number)
    os.symlink("d1/file 1", source / "link")
    (source / os.fsdecode(b"\xff\n")).write_bytes(b"odd")
    (source / "d0").chmod(0o750)


def test_100_small_files_there_and_back(module_service, module_session, here):
    make_tree(here / "many", 100)
    done = module_service.cli.json("cp", here / "many", f"{module_session}:/var/tmp")
    assert (done["files"], done["folders"], done["links"], done["skipped"]) == (101, 11, 1, [])
    assert guest(module_service, module_session, "find /var/tmp/many -type f -printf x | wc -c").strip() == b"101"
    module_service.cli.text("cp", f"{module_session}:/var/tmp/many", here / "back")
    assert tree_of(here / "back") == tree_of(here / "many")


def test_a_folder_over_itself_and_what_it_holds(module_service, module_session, here):
    make_tree(here / "few", 20)
    for _ in range(2):
        module_service.cli.text("cp", here / "few", f"{module_session}:/var/tmp")
        module_service.cli.text("cp", f"{module_session}:/var/tmp/few/.", here / "contents")
        assert tree_of(here / "contents") == tree_of(here / "few")


def test_streams(module_service, module_session):
    data = bytes(range(256)) * 8192
    run = module_service.cli
    done = run.run("cp", "-", f"{module_session}:/var/tmp/stream", input=data)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert run.run("cp", f"{module_session}:/var/tmp/stream", "-").stdout == data
    assert run.run("cp", "-", f"{module_session}:/var/tmp/none", input=b"").returncode == 0
    assert run.run("cp", f"{module_session}:/var/tmp/none", "-").stdout == b""


def test_two_at_once(module_service, module_session, here):
    outcomes = {}

    def one(number):
        data = bytes([number]) * (4 * MIB)
        (here / str(number)).write_bytes(data)
        module_service.cli.text("cp", here / str(number), f"{module_session}:/var/tmp/at-once-{number}")
        module_service.cli.text("cp", f"{module_session}:/var/tmp/at-once-{number}", here / f"back-{number}")
        outcomes[number] = (here / f"back-{number}").read_bytes() == data

    threads = [threading.Thread(target=one, args=(number,)) for number in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes == {1: True, 2: True}


def test_a_killed_copy_leaves_the_old_file_and_no_other(module_service, module_session):
    guest(module_service, module_session, "mkdir /var/tmp/killed; echo old >/var/tmp/killed/f")
    copy = module_service.cli.start("cp", "-", f"{module_session}:/var/tmp/killed/f")
    copy.stdin.write(b"x" * MIB)
    copy.stdin.flush()
    begun = "while ! pgrep -x capsem-file >/dev/null; do sleep 0.05; done"
    guest(module_service, module_session, begun)
    copy.kill()
    copy.communicate()
    ended = "while pgrep -x capsem-file >/dev/null; do sleep 0.05; done; cd /var/tmp/killed; cat f; ls -A"
    assert guest(module_service, module_session, ended) == b"old\nf\n"


def test_a_full_disk_there(module_service, module_session, here):
    (here / "big").write_bytes(b"x" * (2 * MIB))
    guest(module_service, module_session, "mkdir -p /mnt/tiny && mount -t tmpfs -o size=1m tiny /mnt/tiny")
    code, cause, remedy = module_service.cli.error("cp", here / "big", f"{module_session}:/mnt/tiny/f")
    assert code == 5
    assert "no space" in cause and remedy
    assert guest(module_service, module_session, "ls -A /mnt/tiny; umount /mnt/tiny") == b""


def test_what_a_session_may_not_put_here(module_service, module_session, here):
    guest(module_service, module_session, "mkdir /var/tmp/odd; cd /var/tmp/odd; ln -s /etc/passwd absolute; ln -s ../../x up; "
          "ln -s in inside; echo in >in; mkfifo pipe; mknod device c 1 3; echo suid >suid; chmod 6755 suid")
    code, cause, remedy = module_service.cli.error("cp", f"{module_session}:/var/tmp/odd", here / "odd")
    assert code == 4
    assert "not copied: " in cause  # the first of them; the last line says how many
    assert sorted(path.name for path in (here / "odd").iterdir()) == ["in", "inside", "suid"]
    assert (here / "odd" / "suid").stat().st_mode & 0o7777 == 0o755
    assert os.readlink(here / "odd" / "inside") == "in"
    outside = here / "outside"
    outside.mkdir()
    (here / "again").mkdir()
    (here / "again" / "sub").symlink_to(outside)
    guest(module_service, module_session, "mkdir -p /var/tmp/deep/sub; echo x >/var/tmp/deep/sub/x")
    assert module_service.cli.run("cp", f"{module_session}:/var/tmp/deep/.", here / "again").returncode == 4
    assert list(outside.iterdir()) == []


@pytest.mark.parametrize("args, code", [
    ((), 2), (("a",), 2), (("a", "b", "c"), 2), (("a", "b"), 2), (("x:a", "y:b"), 2), (("-", "-"), 2),
    (("/etc/hostname", "nobody:/x"), 3), (("nobody:/x", "/tmp"), 3),
])
def test_complaints(module_service, args, code):
    found, cause, remedy = module_service.cli.error("cp", *args)
    assert found == code
    assert cause and remedy


def test_complaints_about_files(module_service, module_session, here):
    run = module_service.cli
    assert run.error("cp", f"{module_session}:/none", here)[0] == 3
    assert run.error("cp", here / "none", f"{module_session}:/var/tmp")[0] == 3
    assert run.error("cp", f"{module_session}:/dev/null", here)[0] == 4
    assert run.error("cp", f"{module_session}:../x", here)[0] == 2
    assert run.error("cp", here, f"{module_session}:/etc/hostname")[0] == 4
    assert run.error("cp", "-", f"{module_session}:/workspace")[0] == 4
    assert list(here.iterdir()) == []


def test_progress_is_for_a_person(module_service, module_session, here):
    (here / "f").write_bytes(b"x" * (4 * MIB))
    command = module_service.cli.command("cp", here / "f", f"{module_session}:/var/tmp/f")
    master, terminal = pty.openpty()
    copy = subprocess.Popen(command, env=module_service.cli.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=terminal)
    os.close(terminal)
    seen = b""
    while select.select([master], [], [], 60)[0]:
        try:
            seen += os.read(master, 4096)
        except OSError:  # nobody has the terminal open any more
            break
    assert copy.wait() == 0
    assert b"of 4.0 MiB" in seen and seen.endswith(b"\r\x1b[K")
    os.close(master)
    assert module_service.cli.run("cp", here / "f", f"{module_session}:/var/tmp/f").stderr == b""
