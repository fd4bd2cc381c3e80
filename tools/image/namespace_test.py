"""namespace: an ordinary user without subordinate ids is told the line that is missing."""

import pytest

import namespace
from failure import Failure

USER = "ann"


@pytest.fixture
def files(tmp_path, monkeypatch):
    """Ann, uid 1000, with id files of her own."""
    monkeypatch.setattr(namespace.os, "geteuid", lambda: 1000)
    monkeypatch.setattr(namespace.pwd, "getpwuid", lambda uid: type("Row", (), {"pw_name": USER}))
    monkeypatch.setattr(namespace.shutil, "which", lambda tool: f"/usr/bin/{tool}")
    monkeypatch.setattr(namespace, "_ID_FILES", (str(tmp_path / "subuid"), str(tmp_path / "subgid")))
    return tmp_path


def write(files, subuid, subgid):
    (files / "subuid").write_text(subuid)
    (files / "subgid").write_text(subgid)


@pytest.mark.parametrize("row", ["ann:100000:65536\n", "1000:100000:65536\n",
                                 "bob:100000:65536\nann:165536:70000\n"])
def test_a_range_by_name_or_number_is_enough(files, row):
    write(files, row, row)
    namespace.require_subordinate_ids()


@pytest.mark.parametrize("row, line", [
    ("", "ann:100000:65536"),
    ("ann:100000:1000\n", "ann:101000:65536"),
    ("bob:100000:65536\n", "ann:165536:65536"),
    ("nonsense\n", "ann:100000:65536"),
])
def test_a_missing_range_says_the_line_to_add(files, row, line):
    write(files, row, "ann:100000:65536\n")
    with pytest.raises(Failure) as caught:
        namespace.require_subordinate_ids()
    assert caught.value.remedy == f"let root add to {files}/subuid the line {line}"
    assert caught.value.code == 4


def test_refused_user_namespaces_are_said_with_what_helps(monkeypatch, tmp_path):
    (tmp_path / "unshare").write_text("#!/bin/sh\necho 'unshare failed: Operation not permitted' >&2; exit 1\n")
    (tmp_path / "unshare").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(Failure, match="Operation not permitted") as caught:
        namespace.require_user_namespaces()
    assert "build as root" in caught.value.remedy
    assert caught.value.code == 4


def test_files_that_do_not_exist_count_as_empty(files):
    with pytest.raises(Failure, match="subuid and .*subgid"):
        namespace.require_subordinate_ids()


def test_a_missing_newuidmap_names_its_package(files, monkeypatch):
    monkeypatch.setattr(namespace.shutil, "which", lambda tool: None)
    with pytest.raises(Failure) as caught:
        namespace.require_subordinate_ids()
    assert "uidmap" in caught.value.remedy
