"""A host without QEMU: status says so and names the package, and run says so."""
import json

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


def test_doctor_fails_with_what_helps_and_tries_no_machine(bare):
    done = bare.cli.run("doctor")
    lines = done.stdout.decode().splitlines()
    assert done.returncode == 1, lines
    [at] = [number for number, line in enumerate(lines) if "QEMU" in line]
    assert lines[at - 1] == "FAIL  host: the service has no complaint"
    assert f"apt-get install {PACKAGE}" in lines[at + 1]
    assert all("host:" in line or line.startswith("      ") for line in lines), "the machine would only say the same"
    done = bare.cli.run("doctor", "--json")
    told = json.loads(done.stdout)
    assert done.returncode == 1 and told["failed"] >= 1
    for check in told["checks"]:
        assert check["category"] == "host"
        assert bool(check["cause"]) == bool(check["remedy"]) == (check["note"] or not check["ok"]), check
    assert bare.cli.json("list") == []
