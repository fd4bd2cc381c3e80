"""The root file system: disarmed, complete, and nothing of the host or of the build in it."""
import json
import os
import stat
import subprocess

import pytest

from support import paths

pytestmark = pytest.mark.rootfs

IMAGE = paths.SHARED_HOME / "images/base"


@pytest.fixture(scope="module")
def manifest():
    return json.loads((IMAGE / "manifest.json").read_bytes())


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    folder = tmp_path_factory.mktemp("image") / "root"
    subprocess.run(["fsck.erofs", f"--extract={folder}", "--preserve-perms", IMAGE / "rootfs.erofs"], check=True, capture_output=True)
    return folder


def everything(tree):
    """(path, mode) of all that is in it."""
    for folder, folders, files in os.walk(tree):
        for name in folders + files:
            path = os.path.join(folder, name)
            yield os.path.relpath(path, tree), os.lstat(path).st_mode


def test_no_program_takes_the_rights_of_another_user(tree):
    found = list(everything(tree))
    assert len(found) > 1000
    assert [path for path, mode in found if not stat.S_ISLNK(mode) and mode & (stat.S_ISUID | stat.S_ISGID)] == []


def test_no_file_carries_a_capability(capsem, box):
    script = """import os
found = [os.path.join(folder, name) for folder, _, names in os.walk("/usr") for name in names
         if "security.capability" in os.listxattr(os.path.join(folder, name), follow_symlinks=False)]
print("found:", found)"""
    assert capsem.exec(box, "python3", "-c", script).text == "found: []\n"


def test_every_package_is_listed_with_its_version(tree, manifest):
    told = subprocess.run(["dpkg-query", f"--admindir={tree}/var/lib/dpkg", "--show", "--showformat=${Package} ${Version}\n"],
                          check=True, text=True, capture_output=True).stdout
    listed = [f"{package['name']} {package['version']}" for package in manifest["packages"]]
    assert listed == sorted(listed) and len(listed) == len(set(listed))
    kernel = set(listed) - set(told.splitlines())
    assert set(told.splitlines()) <= set(listed)
    # The kernel is unpacked and not installed: dpkg does not know of it.
    assert [line.split()[0] for line in kernel] == [f"linux-image-{manifest['kernel_release']}"]


def test_it_holds_the_modules_of_the_kernel_and_of_no_other(tree, manifest):
    assert os.listdir(tree / "usr/lib/modules") == [manifest["kernel_release"]]
    assert (tree / "usr/lib/modules" / manifest["kernel_release"] / "modules.dep").stat().st_size > 0


@pytest.mark.parametrize("folder", ["boot", "dev", "proc", "run", "sys", "tmp", "var/tmp", "workspace"])
def test_mount_points_and_scratch_folders_are_empty(tree, folder):
    assert os.listdir(tree / folder) == []


@pytest.mark.parametrize("path,text", [("etc/hostname", "capsem\n"), ("etc/machine-id", ""), ("etc/resolv.conf", "")])
def test_nothing_of_the_host_shows(tree, path, text):
    assert (tree / path).read_text() == text


@pytest.mark.parametrize("program", ["bash", "curl", "git", "ip", "modprobe", "ps", "python3"])
def test_what_a_person_expects_in_a_shell_is_there(tree, program):
    found = [folder for folder in ("usr/bin", "usr/sbin") if os.path.lexists(tree / folder / program)]
    assert found, f"no {program}"


def test_licences_stay_and_manuals_do_not(tree):
    assert (tree / "usr/share/doc/bash/copyright").stat().st_size > 0
    manuals = [name for _, _, names in os.walk(tree / "usr/share/man") for name in names]
    assert manuals == []


def test_its_ordinary_user_has_a_home_and_no_password(tree):
    [row] = [line.split(":") for line in (tree / "etc/passwd").read_text().splitlines() if line.startswith("user:")]
    assert row[2:4] == ["1000", "1000"] and (tree / row[5].lstrip("/")).is_dir()
    [shadow] = [line.split(":") for line in (tree / "etc/shadow").read_text().splitlines() if line.startswith("user:")]
    assert shadow[1].startswith("!")
