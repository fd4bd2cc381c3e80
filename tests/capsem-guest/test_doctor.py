"""`capsem doctor`: the host, then a fresh machine from the inside; and that its checks can fail."""
import json

import pytest

pytestmark = pytest.mark.guest

CATEGORIES = ["sandbox", "environment", "utilities", "runtimes", "workflows", "lifecycle"]


def test_a_fresh_machine_passes_every_check(capsem):
    sessions = capsem.ok("list", "-q").text.split()
    result = capsem.run("doctor")
    assert result.code == 0, result.text
    lines = result.text.splitlines()
    assert not [line for line in lines if line.startswith("FAIL")]
    passed, failed = int(lines[-1].split()[0]), lines[-1].split()[2]
    assert failed == "0" and passed > 80
    for category in ["host", *CATEGORIES]:
        assert any(line.startswith(f"ok    {category}: ") for line in lines), category
    assert capsem.ok("list", "-q").text.split() == sessions, "its machine is gone"


def test_as_json_with_chosen_categories(capsem):
    told = capsem.ok("doctor", "-k", "host", "-k", "lifecycle", "--json").json
    assert {check["category"] for check in told["checks"]} == {"host", "lifecycle"}
    assert told["failed"] == 0
    assert told["passed"] == len(told["checks"])


def test_the_host_alone_needs_no_machine(capsem):
    result = capsem.run("doctor", "-k", "host")
    assert result.code == 0
    assert {line.split()[1] for line in result.text.splitlines() if line[0] != " "} == {"host:"}


def test_a_category_that_there_is_not_is_refused(capsem):
    result = capsem.run("doctor", "-k", "nonsense")
    assert result.code == 2
    assert "nonsense" in result.err and "sandbox" in result.err


def failed(capsem, box, *words):
    """{sentence: cause} of the checks that capsem-doctor finds broken in a session."""
    result = capsem.exec(box, "capsem-doctor", "--json", *words)
    told = json.loads(result.text)
    assert result.code == (1 if told["failed"] else 0)
    return {check["check"]: check["cause"] for check in told["checks"] if not check["ok"]}


SPOILS = [
    ("sandbox", "install -m 4755 /bin/true /usr/bin/mine", "no program takes the rights of another user"),
    ("sandbox", "ip link add eth9 type dummy", "there is no network device but the loopback"),
    ("environment", "hostname other", "the host's name is the session's"),
    ("environment", "chmod 755 /tmp", "/tmp and /var/tmp are everybody's, with the sticky bit"),
    ("environment", "rm /dev/stdin", "devices that programs count on are there"),
    ("utilities", "rm /usr/bin/git", "git"),
    ("workflows", "rm -f /usr/bin/git", "git: init, commit, branch, log"),
    ("lifecycle", "ln -sf /bin/true /usr/sbin/reboot", "poweroff, halt, reboot, shutdown and suspend are Capsem's"),
    ("lifecycle", "echo none > /etc/machine-id", "this machine has an id of its own"),
]


def test_what_is_spoilt_is_found(capsem):
    box = capsem.create()
    for category, spoil, sentence in SPOILS:
        assert capsem.exec(box, "sh", "-c", spoil).code == 0, spoil
        assert sentence in failed(capsem, box, "-k", category), spoil
    capsem.ok("delete", box)


def test_in_the_guest_it_says_what_it_knows(capsem, box):
    listed = capsem.exec(box, "capsem-doctor", "--list").text
    assert listed.startswith("sandbox: PID 1 is the agent\n")
    assert capsem.exec(box, "capsem-doctor", "-k", "nonsense").code == 2
    assert "example: capsem-doctor" in capsem.exec(box, "capsem-doctor", "--help").text
