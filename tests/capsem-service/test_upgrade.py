"""Other programs in the place of these, and a restart: machines of before go on."""
import os
import shutil
import signal
import subprocess

import pytest

from support import capsem_home, paths, rpc

pytestmark = pytest.mark.integration

OLDEST = paths.BUILD / "capsem-process/capsem-process-oldest"


def sign(programs):
    # With the key of this checkout, which the home of the tests trusts.
    subprocess.run([paths.ROOT / "tools/image/sign_binaries", "--state", paths.BUILD / "signing", programs], check=True)


def replace(programs, name, source):
    """As a package does it: what runs keeps its old file."""
    shutil.copy(source, f"{programs}/{name}.new")
    os.rename(f"{programs}/{name}.new", f"{programs}/{name}")
    sign(programs)


def introduction(home, session):
    return home.machine_stub(session).Introduce(rpc.process_pb2.IntroduceRequest(nonce=b"n" * 32))


def assert_refused_as_of_an_older_version(home):
    """What came after the oldest version is unknown to its process: that is said, and what helps."""
    for words in (["cp", "/etc/hostname", "box:/root/"], ["cp", "box:/etc/hostname", "-"], ["ps", "box"], ["attach", "box", "1"]):
        code, cause, remedy = home.cli.error(*words)
        assert code == 125, words
        assert "started by an older version of capsem" in cause, words
        assert "capsem restart" in remedy, words


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL], ids=lambda how: how.name)
def test_a_process_of_the_oldest_protocol_is_adopted_by_the_service_of_today(tmp_path, how):
    programs = tmp_path / "bin"
    shutil.copytree(paths.BIN, programs)
    replace(programs, "capsem-process", OLDEST)
    with capsem_home.CapsemHome(start=False) as home:
        home.programs = programs
        home.start()
        box = home.create("-n", "box", "--memory", "256")
        boot = home.exec(box, "cat", "/proc/sys/kernel/random/boot_id").text
        before = home.info(box)
        spoken = introduction(home, box)
        assert spoken.protocol_max == spoken.protocol_min
        home.kill(how)
        replace(programs, "capsem-process", paths.BIN / "capsem-process")
        home.start()
        assert home.info(box) == before
        assert home.exec(box, "cat", "/proc/sys/kernel/random/boot_id").text == boot
        assert_refused_as_of_an_older_version(home)
        # The next machine is one of the new program.
        home.ok("restart", "box")
        assert home.exec(box, "true").code == 0
        assert introduction(home, box).protocol_max >= spoken.protocol_max
        assert home.info(box)["process_pid"] != before["process_pid"]
        assert len(home.ok("ps", "box", "--json").json) == 1
