"""What a program that was taken over tries, in the three places where one could be: as a capsem-process, as a QEMU that is
spawned as the product spawns it, and, so that each attempt is known to be one, without confinement."""
import pathlib
import re

import pytest

from support import confined, paths

pytestmark = pytest.mark.confinement


@pytest.fixture(scope="module")
def free():
    """Without confinement all of it works."""
    _abi, told = confined.answers("free")
    return told


def forbidden(told):
    return {name: error for name, error in told.items() if not name.startswith("needed: ")}


def test_without_confinement_every_probe_works(free):
    assert {name: error for name, error in free.items() if error not in (0, confined.NEEDS_ROOT)} == {}


def test_there_are_at_least_forty_probes(free):
    assert len([name for name, error in forbidden(free).items() if error == 0]) >= 40


@pytest.mark.smoke
@pytest.mark.parametrize("abi", [1000, 6, 3, 2, 1, 0])
@pytest.mark.parametrize("program", ["process", "qemu"])
def test_confined_no_probe_works_and_what_is_needed_does(free, program, abi):
    in_force, told = confined.answers(program, abi)
    assert in_force == min(abi, confined.landlock_abi())
    assert told.keys() == free.keys()
    # Without Landlock files are held back by nothing but their modes, and all files of a user have the same owner.
    held = {name: error for name, error in forbidden(told).items() if in_force > 0 or not reads_or_writes(name)}
    assert {name: error for name, error in held.items() if error not in confined.DENIED} == {}
    assert {name: error for name, error in told.items() if name.startswith("needed: ") and error != 0} == {}


def reads_or_writes(name):
    """What only Landlock can deny: files that are opened by name, and their names."""
    return name.startswith(("file: ", "process: read another's", "process: open another's", "process: list another's"))


@pytest.mark.parametrize("program", ["process", "qemu"])
def test_what_landlock_does_not_know_of_files_is_denied_by_the_filter(program):
    _abi, told = confined.answers(program, 0)
    names = ["file: chmod in the home", "file: chown in the home", "file: set times in the home",
             "file: set an attribute in the home", "file: truncate one in the home", "file: link one of the home"]
    assert [name for name in names if told[name] not in confined.DENIED] == []


def test_the_number_of_allowed_system_calls_is_the_published_one():
    text = (pathlib.Path(paths.ROOT) / "docs/confinement.md").read_text(encoding="utf-8")
    published = dict(re.findall(r"^\| (capsem-process|QEMU) \| (\d+) \|", text, re.MULTILINE))
    process, qemu = confined.counts()
    assert published == {"capsem-process": str(process), "QEMU": str(qemu)}
