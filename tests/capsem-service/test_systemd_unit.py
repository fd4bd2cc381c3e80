"""The user's unit of systemd: what it says, that systemd understands it, and that the service keeps to it."""
import configparser
import signal
import socket
import subprocess

import pytest

from support import paths
from support.service import Service

pytestmark = pytest.mark.integration

UNIT = paths.BUILD / "capsem-service/capsem.service"


def test_a_stop_of_the_unit_ends_the_service_and_no_machine():
    unit = configparser.ConfigParser(interpolation=None)
    unit.optionxform = str
    unit.read(UNIT)
    service = unit["Service"]
    assert service["Type"] == "notify"
    assert service["KillMode"] == "process"
    # What would be sent to machines after all.
    assert not {"SendSIGHUP", "KillSignal", "FinalKillSignal", "ExecStop"} & set(service)
    # The service limits each machine in a cgroup below its own; before the next start nothing there may be limited.
    assert set(service["Delegate"].split()) == {"memory", "pids", "cpu"}
    assert service["ExecStopPost"] == f"-{paths.BIN / 'capsem-service'} --lift-limits"
    assert service["ExecStart"] == str(paths.BIN / "capsem-service")
    assert unit["Install"]["WantedBy"] == "default.target"


def test_systemd_understands_the_unit(tmp_path):
    said = subprocess.run(["systemd-analyze", "verify", "--user", UNIT], capture_output=True, text=True, check=False,
                          env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path),
                               "SYSTEMD_LOG_COLOR": "0"})
    complaints = [line for line in said.stderr.splitlines() if "capsem" in line]
    assert (said.returncode, complaints) == (0, []), said.stderr


def test_systemd_is_told_when_it_serves_and_when_it_leaves(tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(30)
        with Service(NOTIFY_SOCKET=str(tmp_path / "notify")) as service:
            assert systemd.recv(100) == b"READY=1"
            service.process.send_signal(signal.SIGTERM)
            assert systemd.recv(100) == b"STOPPING=1"
            assert service.process.wait(30) == 0
