"""A host without QEMU: status says so and names the package, and run says so."""
import pytest

from support import mounts

pytestmark = pytest.mark.integration

QEMU = "/usr/bin/qemu-system-x86_64"
PACKAGE = "qemu-system-x86"


@pytest.fixture
def bare(home, tmp_path):
    """A home whose service, which the first verb starts, finds no QEMU."""
    home.cli.prefix = mounts.privately(mounts.without(QEMU, tmp_path))
    return home


def test_status_says_so_and_names_the_package(bare):
    [problem] = [text for text in bare.cli.json("status")["problems"] if "QEMU" in text]
    assert QEMU in problem
    assert f"apt-get install {PACKAGE}" in problem
    [line] = [line for line in bare.cli.text("status").splitlines() if line.startswith("qemu")]
    assert line.split() == ["qemu:", "missing"]


@pytest.mark.parametrize("words,ours", [(("run", "true"), 125), (("create",), 4)])
def test_a_machine_is_refused_at_once_and_the_package_named(bare, words, ours):
    code, cause, remedy = bare.cli.error(*words)
    assert code == ours
    assert "QEMU is not installed" in cause and QEMU in cause
    assert f"apt-get install {PACKAGE}" in remedy
    assert bare.cli.json("list") == []
