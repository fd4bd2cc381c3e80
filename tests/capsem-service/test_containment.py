"""What a machine's process is given, who may open what, and that a caller's secrets stay with the caller."""
import os
import stat

import pytest

from support import process_tree

pytestmark = pytest.mark.integration

# What capsem-process may find in its environment (capsem-service/supervise/child_env).
ALLOWED = {"PATH", "LANG", "CAPSEM_LOG"}


def environment_of(pid):
    return {key.decode(): value.decode() for key, value in process_tree.find(pid).environment.items()}


@pytest.fixture(scope="module")
def secret_box(capsem):
    """A session made by a caller (and a service started by one) that has a secret in its environment."""
    session = capsem.ok("create", "-q", env={"API_KEY": "s3cr3t-of-the-caller"}).text.strip()
    capsem.exec(session, "true")
    return session


def test_environment_of_the_process_is_the_allowlist(capsem, secret_box):
    info = capsem.info(secret_box)
    assert set(environment_of(info["process_pid"])) <= ALLOWED
    assert set(environment_of(info["machine_pid"])) <= ALLOWED


def test_a_secret_of_the_caller_is_neither_in_the_process_nor_in_the_guest(capsem, secret_box):
    info = capsem.info(secret_box)
    for pid in (info["process_pid"], info["machine_pid"]):
        assert "s3cr3t" not in str(environment_of(pid)) + str(process_tree.find(pid).command_line)
    assert "s3cr3t" not in capsem.exec(secret_box, "env", env={"API_KEY": "s3cr3t-of-the-caller"}).text


def test_every_folder_is_0700_and_every_file_and_socket_0600(capsem, secret_box):
    wrong = {}
    for path, mode in capsem.files().items():
        wanted = 0o700 if stat.S_ISDIR(mode) else 0o600
        if path.startswith(f"sessions/{secret_box}/guest/"):
            continue  # what the guest makes has the guest's modes
        if stat.S_IMODE(mode) & ~wanted:
            wrong[path] = oct(stat.S_IMODE(mode))
    assert wrong == {}


def test_no_descriptor_leaks(capsem, secret_box):
    info = capsem.info(secret_box)
    process = process_tree.find(info["process_pid"]).open_files
    machine = process_tree.find(info["machine_pid"]).open_files
    foreign = [target for target in [*process.values(), *machine.values()]
               if target.startswith("/") and not target.startswith(
                   ("/dev/null", "/memfd:", f"{capsem.home}/sessions/{secret_box}", "/proc", "/dev/kvm", "/dev/urandom"))
               and "/images/" not in target]
    assert foreign == []
    assert not [target for target in machine.values() if "process.log" not in target and "serial" in target]


def test_no_new_privs_and_who_is_whose_child(capsem, secret_box):
    info = capsem.info(secret_box)
    for pid, parent in ((info["process_pid"], capsem.service_pid()), (info["machine_pid"], info["process_pid"])):
        assert process_tree.find(pid).parent == parent
        with open(f"/proc/{pid}/status", encoding="ascii") as about:
            assert "NoNewPrivs:\t1" in about.read()
    assert os.readlink(f"/proc/{info['process_pid']}/cwd") == capsem.session_folder(secret_box)


def test_secrets_are_not_on_any_command_line(capsem, secret_box):
    info = capsem.info(secret_box)
    assert [word.decode() for word in process_tree.find(info["process_pid"]).command_line[1:]] == ["--parent-pid", str(capsem.service_pid())]
