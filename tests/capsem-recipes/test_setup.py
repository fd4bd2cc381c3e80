"""tools/quickstart and what it shares with tools/test, in good weather and in bad.

A checkout in small: the real scripts, a meson project of one script for a program, a list of packages that are there.
"""
import fcntl
import os
import pathlib
import subprocess
import tempfile

import pytest
from support import mounts, paths

pytestmark = pytest.mark.recipes

SCRIPTS = ["tools/quickstart", "tools/test", "tools/dev/setup", "tools/dev/environment.sh"]

# A capsem that runs its command on the host and leaves a mark for each image build.
CAPSEM = """#!/bin/sh
case "$1" in
  image) echo built >> "$CAPSEM_HOME/images"; echo "image: progress" >&2; echo digest ;;
  status) echo '{"pid": 1, "sessions_running": 0}' ;;
  run) shift 2; exec "$@" ;;
esac
"""

SIGN = """#!/bin/sh
mkdir -p "$2/keys/trusted_keys.d" && echo signed >> "$2/times" && echo key > "$2/keys/trusted_keys.d/k.pem"
touch "$3/MANIFEST" "$3/MANIFEST.sig"
"""

MESON = """project('small')
custom_target('capsem', output: 'capsem', command: ['cp', files('capsem.sh'), '@OUTPUT@'], depend_files: 'capsem.sh',
  build_by_default: true)
"""


class Checkout:
    def __init__(self, folder):
        self.folder = folder
        self.home = folder.parent / "home"
        self.home.mkdir()
        for script in SCRIPTS:
            self.write(script, (paths.ROOT / script).read_text(), 0o755)
        self.write("capsem.sh", CAPSEM, 0o755)
        self.write("meson.build", MESON)
        self.write("tools/packages.txt", "# packages\nbash    # there for sure\nmeson   # the build\n")
        self.write("tools/programs.txt", "# programs\ncapsem\n")
        self.write("tools/image/sign_binaries", SIGN, 0o755)

    def write(self, name, text, mode=0o644):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)

    def environment(self, **more):
        return {"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "HOME": str(self.home),
                "CAPSEM_HOME": str(self.home / "state"), **more}

    def run(self, *command, prefix=(), **more):
        words = command or ("tools/quickstart",)
        return subprocess.run([*prefix, self.folder / words[0], *words[1:]], cwd="/", text=True, capture_output=True,
                              env=self.environment(**more), stdin=subprocess.DEVNULL)

    def program(self):
        return self.folder / "build/bin/capsem"


@pytest.fixture
def checkout():
    """Where another user can reach it, which pytest's own folders are not."""
    with tempfile.TemporaryDirectory(prefix="capsem-checkout-") as folder:
        os.chmod(folder, 0o755)
        yield Checkout(pathlib.Path(folder) / "checkout")


@pytest.mark.smoke
def test_quickstart_ends_with_the_output_of_its_command(checkout):
    done = checkout.run("tools/quickstart", "echo", "hello  there")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "hello  there\n"
    assert "packages: all there" in done.stderr and "image: progress" in done.stderr


def test_without_arguments_it_shows_the_kernel_and_a_little_python(checkout):
    done = checkout.run()
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Linux ")
    assert done.stdout.endswith("\n42\n")


def test_its_exit_code_is_the_commands(checkout):
    assert checkout.run("tools/quickstart", "sh", "-c", "exit 42").returncode == 42


def test_a_second_run_builds_and_signs_nothing_anew(checkout):
    assert checkout.run().returncode == 0
    before = checkout.program().stat()
    assert checkout.run().returncode == 0
    assert checkout.program().stat() == before
    assert (checkout.folder / "build/signing/times").read_text() == "signed\n"


def test_a_changed_program_is_replaced_by_rename_and_signed(checkout):
    assert checkout.run().returncode == 0
    before = checkout.program().stat()
    checkout.write("capsem.sh", CAPSEM + "# changed\n", 0o755)
    done = checkout.run()
    assert done.returncode == 0 and "(1 replaced)" in done.stderr
    assert checkout.program().stat().st_ino != before.st_ino
    assert (checkout.folder / "build/signing/times").read_text() == "signed\nsigned\n"
    assert (checkout.folder / "build/bin/trusted_keys.d/k.pem").exists()


def test_a_configuration_that_was_cut_short_is_made_anew(checkout):
    assert checkout.run().returncode == 0
    (checkout.folder / "build/build.ninja").unlink()
    assert checkout.run().returncode == 0


def test_another_python_first_on_the_path_does_no_harm(checkout, tmp_path):
    fake = tmp_path / "fake"
    fake.mkdir()
    for name in ("python3", "meson", "ninja", "protoc"):
        (fake / name).write_text("#!/bin/sh\necho the wrong one >&2\nexit 1\n")
        (fake / name).chmod(0o755)
    done = checkout.run("tools/quickstart", "echo", "fine", PATH=f"{fake}:/usr/bin:/bin:/usr/sbin:/sbin",
                        PYTHONHOME="/nonexistent")
    assert (done.returncode, done.stdout) == (0, "fine\n"), done.stderr
    assert "the wrong one" not in done.stderr


def test_a_second_one_beside_the_first_waits_with_a_word(checkout):
    (checkout.folder / "build").mkdir()
    with open(checkout.folder / "build/.setup-lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        second = subprocess.Popen([checkout.folder / "tools/quickstart", "echo", "done"], cwd="/", text=True,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=checkout.environment())
        assert "another set-up is at work in this folder" in second.stderr.readline()
        assert second.poll() is None
        assert not (checkout.folder / "build/build.ninja").exists()
    output, errors = second.communicate()
    assert (second.returncode, output) == (0, "done\n"), errors


def test_who_may_not_install_is_told_the_command_to_run_as_root(checkout):
    checkout.write("tools/packages.txt", "bash\ncapsem-no-such-package  # missing\n")
    (checkout.folder).chmod(0o777)
    checkout.home.chmod(0o777)
    prefix = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] if os.getuid() == 0 else []
    done = checkout.run(prefix=prefix)
    assert done.returncode == 1
    assert "may not install them: capsem-no-such-package" in done.stderr
    assert "apt-get install --no-install-recommends capsem-no-such-package" in done.stderr
    assert not (checkout.folder / "build/build.ninja").exists()


def test_a_package_that_cannot_be_had_ends_with_apts_word_and_the_command(checkout, tmp_path):
    checkout.write("tools/packages.txt", "capsem-no-such-package\n")
    # A network that is not there: apt is given a proxy that nobody serves.
    (tmp_path / "apt.conf").write_text('Acquire::http::Proxy "http://127.0.0.1:9";\nAcquire::https::Proxy "http://127.0.0.1:9";\n'
                                       f'Acquire::Retries "0";\nDir::State::Lists "{tmp_path}/lists";\n')
    done = checkout.run(APT_CONFIG=str(tmp_path / "apt.conf"))
    assert done.returncode == 1
    # Only who may install gets as far as apt.
    causes = ["the packages were not installed", "lists of Debian packages"] if os.getuid() == 0 else ["may not install them"]
    assert any(cause in done.stderr for cause in causes)
    assert "apt-get install" in done.stderr
    assert not (checkout.folder / "build/build.ninja").exists()


def test_a_home_that_cannot_be_written_is_said_before_the_work(checkout):
    done = checkout.run(CAPSEM_HOME="/sys/capsem")
    assert done.returncode == 1
    assert "cannot write in /sys/capsem" in done.stderr and "CAPSEM_HOME" in done.stderr
    assert not (checkout.folder / "build").exists()


def test_a_full_disk_is_said_before_the_work(checkout):
    (checkout.folder / "build").mkdir()
    command = [*mounts.privately(mounts.small_disk(checkout.folder / "build", 8)), checkout.folder / "tools/quickstart"]
    done = subprocess.run(command, text=True, capture_output=True, env=checkout.environment())
    assert done.returncode == 1
    assert "8 MiB are free" in done.stderr and "free some space" in done.stderr, done.stderr
    assert not (checkout.folder / "build/build.ninja").exists()


def test_a_build_that_fails_shows_why_and_stages_nothing(checkout):
    checkout.write("meson.build", MESON.replace("'cp'", "'false'"))
    done = checkout.run()
    assert done.returncode == 1
    assert "the build failed" in done.stderr
    assert not checkout.program().exists()


def test_an_image_that_cannot_be_built_is_the_end(checkout):
    checkout.write("capsem.sh", '#!/bin/sh\n[ "$1" = image ] && echo "image: error: no" >&2 && exit 6\nexit 0\n', 0o755)
    done = checkout.run()
    assert done.returncode == 6
    assert done.stdout == ""


def test_tools_test_ends_with_its_last_line_even_when_the_set_up_fails(checkout):
    checkout.write("meson.build", "nonsense\n")
    done = checkout.run("tools/test")
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1] == "0 passed, 1 failed"
