"""build/bin/MANIFEST lists our host binaries, signed; a capsem-process that is not in it is not started."""
import os
import shutil
import subprocess

import pytest

from support import paths

pytestmark = pytest.mark.codesign

PROGRAMS = ["capsem", "capsem-service", "capsem-process", "capsem-define", "capsem-kvm-probe"]


@pytest.mark.smoke
def test_every_program_is_listed():
    listed = (paths.BIN / "MANIFEST").read_text(encoding="utf-8")
    for program in PROGRAMS:
        assert program in listed
        assert (paths.BIN / program).exists()


def test_a_changed_capsem_process_is_not_started(home, tmp_path):
    programs = tmp_path / "bin"
    shutil.copytree(paths.BIN, programs)
    with open(programs / "capsem-process", "ab") as program:
        program.write(b"one byte more")
    result = subprocess.run([programs / "capsem", "run", "--", "true"], env=home.cli.environment, capture_output=True, check=False)
    assert result.returncode == 125
    assert b"capsem-process" in result.stderr
    assert not os.path.exists(f"{home.home}/sessions") or os.listdir(f"{home.home}/sessions") == []
