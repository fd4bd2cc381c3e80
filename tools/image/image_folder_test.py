"""image_folder, state_folder, signing, manifest: an image appears whole, signed, and once."""

import hashlib
import json
import os
import stat
import subprocess

import pytest

import image_folder
import rootfs_cache
from failure import Failure
from signing import Signer
from state_folder import StateFolder

# The smallest thing that strip takes for a static program: /bin/true would be a dynamic one.
SOURCE = "void _start(void) { for (;;) {} }"


@pytest.fixture(scope="session")
def agent(tmp_path_factory):
    folder = tmp_path_factory.mktemp("agent")
    (folder / "agent.c").write_text(SOURCE)
    subprocess.run(["gcc", "-static", "-nostdlib", "-o", folder / "agent", folder / "agent.c"], check=True)
    return str(folder / "agent")


@pytest.fixture
def state(tmp_path):
    return StateFolder(str(tmp_path / "state"))


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "root"
    (folder / "modules").mkdir(parents=True)
    sums = {}
    for name in ("vmlinuz", "rootfs.erofs", "modules/load.order"):
        (folder / name).write_text(name)
        sums[name] = hashlib.sha256(name.encode()).hexdigest()
    (folder / "stage.json").write_text(json.dumps({
        "epoch": 5, "kernel_release": "6.1", "packages": [["bash", "5"]], "sums": sums}))
    return rootfs_cache.Root(str(folder))


def make(state, root, agent, name="base"):
    return image_folder.make(state, Signer(state), root, agent, name)


def test_an_image_holds_its_files_and_a_manifest_that_lists_them(state, root, agent):
    digest = make(state, root, agent)
    folder = f"{state.images}/base"
    assert os.readlink(folder) == digest
    assert sorted(os.listdir(folder)) == [
        "initramfs.cpio", "manifest.json", "manifest.sig", "rootfs.erofs", "vmlinuz"]
    with open(f"{folder}/manifest.json", "rb") as file:
        text = file.read()
    assert hashlib.sha256(text).hexdigest() == digest
    value = json.loads(text)
    assert (value["name"], value["created"], value["kernel_release"]) == ("base", 5, "6.1")
    assert value["packages"] == [{"name": "bash", "version": "5"}]
    for entry in value["files"]:
        with open(f"{folder}/{entry['name']}", "rb") as file:
            data = file.read()
        assert (len(data), hashlib.sha256(data).hexdigest()) == (entry["size"], entry["sha256"])


def test_the_signature_holds_for_the_trusted_key_and_the_key_is_private(state, root, agent, tmp_path):
    make(state, root, agent)
    kind, key_id, signature = open(f"{state.images}/base/manifest.sig", encoding="ascii").read().split()
    trusted, = os.listdir(state.trusted_keys)
    assert kind == "ed25519" and trusted == f"{key_id[:16]}.pem"
    (tmp_path / "sig").write_bytes(bytes.fromhex(signature))
    subprocess.run(["openssl", "pkeyutl", "-verify", "-rawin", "-pubin", "-inkey",
                    f"{state.trusted_keys}/{trusted}", "-in", f"{state.images}/base/manifest.json",
                    "-sigfile", tmp_path / "sig"], check=True, capture_output=True)
    assert stat.S_IMODE(os.stat(f"{state.keys}/image_key.pem").st_mode) == 0o600
    assert stat.S_IMODE(os.stat(state.keys).st_mode) == 0o700


def identity(path):
    """What changes when a file is written again; reading it changes nothing of this."""
    found = os.stat(path)
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def test_a_second_build_of_the_same_changes_nothing(state, root, agent):
    digest = make(state, root, agent)
    before = identity(f"{state.images}/base/initramfs.cpio")
    assert make(state, root, agent) == digest
    assert identity(f"{state.images}/base/initramfs.cpio") == before


def test_a_damaged_image_is_replaced(state, root, agent):
    digest = make(state, root, agent)
    path = f"{state.images}/{digest}/initramfs.cpio"
    os.chmod(path, 0o600)
    with open(path, "r+b") as file:
        file.write(b"x")
    make(state, root, agent)
    with open(path, "rb") as file:
        assert file.read(6) == b"070701"


def test_a_name_moves_to_the_new_image_and_the_old_one_stays(state, root, agent):
    first = make(state, root, agent)
    root.kernel_release = "6.2"
    second = make(state, root, agent)
    assert os.readlink(f"{state.images}/base") == second != first
    assert sorted(os.listdir(state.images)) == sorted([first, second, "base"])


def test_a_dynamic_agent_is_refused_and_leaves_nothing(state, root):
    import agent_program
    with pytest.raises(Failure, match="dynamically"):
        agent_program.check("/bin/true")
    with pytest.raises(Failure):
        make(state, root, "/etc/passwd")
    assert os.listdir(state.images) == []


def test_a_changed_cache_entry_is_not_used(root):
    said = []
    progress = type("Said", (), {"say": said.append})
    assert rootfs_cache.usable(root.folder, progress) is not None
    with open(f"{root.folder}/rootfs.erofs", "w", encoding="ascii") as file:
        file.write("rootfs.eroft")
    assert rootfs_cache.usable(root.folder, progress) is None
    assert "rootfs.erofs was changed" in said[0]


def test_what_a_killed_builder_left_is_removed_by_the_next(state):
    os.makedirs(f"{state.images}/.new-abc/image")
    os.makedirs(f"{state.roots}/.new-abc")
    with state.lock(print):
        assert os.listdir(state.images) == os.listdir(state.roots) == []


def test_old_roots_are_forgotten(state):
    for number in range(5):
        os.mkdir(f"{state.roots}/{number}")
        os.utime(f"{state.roots}/{number}", (number, number))
    state.forget_old_roots()
    assert sorted(os.listdir(state.roots)) == ["2", "3", "4"]


def test_a_missing_tool_names_its_package(monkeypatch):
    which = rootfs_cache.shutil.which
    monkeypatch.setattr(rootfs_cache.shutil, "which",
                        lambda tool: None if tool == "mkfs.erofs" else which(tool))
    with pytest.raises(Failure) as caught:
        rootfs_cache.require_tools()
    assert (caught.value.code, caught.value.remedy) == (4, "apt-get install erofs-utils")
