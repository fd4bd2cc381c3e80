"""`capsem config`, and a service that is configured well, badly, or anew."""
import json
import os
import shutil
import signal
import subprocess

import pytest

from support import cli, paths
from support.eventually import eventually

pytestmark = pytest.mark.config

KEYS = ["max_running", "min_free_mib", "require_isolation", "orphan_lease_s", "exec_spool_mib",
        "default_cpus", "default_memory_mib", "default_disk_gib", "default_image"]


@pytest.fixture
def configured(home):
    """A home whose corp.toml is a file of the test's own."""
    home.corp = f"{home.home}/corp.toml"
    home.config = f"{home.home}/config.toml"
    home.variables["CAPSEM_TEST_CORP_FILE"] = home.corp
    home.cli.environment["CAPSEM_TEST_CORP_FILE"] = home.corp
    return home


def write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def shown(home):
    """{key: setting} of `config show`."""
    return {setting["key"]: setting for setting in home.cli.json("config", "show")["settings"]}


def values(home):
    return {key: setting["value"] for key, setting in shown(home).items()}


@pytest.mark.smoke
def test_without_files_every_key_has_its_default(configured):
    settings = shown(configured)
    assert list(settings) == KEYS
    for setting in settings.values():
        assert setting["origin"] == "default" and not setting["locked"] and setting["place"] == ""
        assert setting["help"] and setting["range"] and setting["applies"]
    text = configured.cli.text("config", "show")
    assert text.splitlines()[0].split() == ["KEY", "VALUE", "FROM", "MEANING"]
    assert "default_cpus" in text and "2, or 1 when emulated" in text


def test_each_value_says_where_it_comes_from_and_the_administrator_wins(configured):
    write(configured.config, "# mine\nmax_running = 4\ndefault_cpus = 2\n")
    write(configured.corp, "max_running = 3\n")
    settings = shown(configured)
    assert (settings["max_running"]["value"], settings["max_running"]["locked"]) == ("3", True)
    assert settings["max_running"]["place"] == f"{configured.corp}:1"
    assert settings["max_running"]["ignored"] == f"{configured.config}:2"
    assert (settings["default_cpus"]["origin"], settings["default_cpus"]["locked"]) == ("config", False)
    assert settings["default_cpus"]["place"] == f"{configured.config}:3"
    assert configured.cli.json("status")["sessions_limit"] == 3
    assert f"{configured.corp}:1 (locked), not {configured.config}:2" in configured.cli.text("config", "show")


BAD = [("max_runing = 4\n", 1, "max_runing"), ("\n\nmax_running = 0\n", 3, "max_running"),
       ("max_running = 4\ndefault_cpus = 9\n", 2, "default_cpus"), ("max_running = \n", 1, ""),
       ("require_isolation = \"none\"\n", 1, "require_isolation"), ("default_image = \"../x\"\n", 1, "default_image"),
       ("max_running = 4\nmax_running = 5\n", 2, "max_running")]


@pytest.mark.parametrize("text, line, key", BAD)
def test_validate_names_file_line_and_key_and_starts_nothing(configured, text, line, key):
    for words, path in (([], configured.config), ([], configured.corp), (["else.toml"], "else.toml")):
        write(os.path.join("/", path) if path.startswith("/") else f"{configured.home}/{path}", text)
        words = [f"{configured.home}/{word}" for word in words]
        code, cause, remedy = configured.cli.error("config", "validate", *words)
        assert code == 2 and remedy
        assert cause.startswith(f"{words[0] if words else path}:{line}: ") and key in cause
        os.unlink(words[0] if words else path)
    assert configured.processes() == []


def test_validate_says_which_files_are_good(configured):
    write(configured.config, "max_running = 4\n")
    assert configured.cli.json("config", "validate") == [{"file": configured.config, "state": "valid"},
                                                         {"file": configured.corp, "state": "absent"}]
    assert configured.cli.text("config", "validate", configured.config) == f"{configured.config}: valid\n"
    code, cause, _ = configured.cli.error("config", "validate", configured.corp)
    assert code == 3 and configured.corp in cause
    done = configured.cli.run("config", "validate", "--json", configured.corp)
    assert json.loads(done.stderr)["error"]["code"] == "NotFound"


def test_a_service_that_starts_refuses_a_bad_file_by_its_line(configured):
    write(configured.config, "max_running = 4\ndefault_cpus = 9\n")
    place = f"{configured.config}:2: default_cpus"
    code, cause, remedy = configured.cli.error("list")
    assert code == 6 and place in cause and "config validate" in remedy
    started = subprocess.run([paths.BIN / "capsem-service", "--foreground"], capture_output=True, text=True, timeout=60,
                             env=cli.environment(configured.home, **configured.variables), cwd="/", check=False)
    assert started.returncode == 2 and place in started.stderr
    assert configured.processes() == []
    write(configured.config, "max_running = 4\ndefault_cpus = 8\n")
    assert values(configured)["default_cpus"] == "8"


def test_a_running_service_reads_its_files_again_and_a_bad_one_changes_nothing(configured):
    configured.start()
    assert values(configured)["max_running"] == "10"
    write(configured.config, "max_running = 4\nmin_free_mib = 100\n")
    assert values(configured)["max_running"] == "10", "before it is told"
    os.kill(configured.pid, signal.SIGHUP)
    eventually("the new configuration holds", 10, lambda: values(configured)["max_running"] == "4")
    write(configured.config, "min_free_mib = 200\nmax_running = 5\nmax_runing = 6\n")
    os.kill(configured.pid, signal.SIGHUP)
    eventually("the refusal is logged", 10, lambda: f"{configured.config}:3: " in configured.cli.text("logs"))
    assert (values(configured)["max_running"], values(configured)["min_free_mib"]) == ("4", "100")


def reload(home, reason, condition):
    os.kill(home.cli.json("status")["pid"], signal.SIGHUP)
    eventually(reason, 10, condition)


def test_a_limit_is_refused_with_its_key(configured):
    write(configured.config, "max_running = 4\n")
    write(configured.corp, "max_running = 1\n")
    configured.cli.text("create", "-q")
    code, cause, remedy = configured.cli.error("create")
    assert code == 5 and cause == "1 sessions run: the limit is 1"
    assert f"`max_running` is locked by {configured.corp}:1" in remedy
    write(configured.corp, "")
    write(configured.config, "max_running = 1\n")
    reload(configured, "the lock is gone", lambda: not shown(configured)["max_running"]["locked"])
    code, _, remedy = configured.cli.error("create")
    assert code == 5 and f"`max_running` in {configured.config}" in remedy
    write(configured.config, "")
    reload(configured, "the limit is gone", lambda: values(configured)["max_running"] == "10")
    configured.cli.text("create", "-q")


def test_a_disk_that_would_be_too_full_is_refused_with_its_key(configured):
    wanted = min(shutil.disk_usage(configured.home).free // 2**20 + 4096, 2**20)
    write(configured.config, f"min_free_mib = {wanted}\n")
    if wanted == 2**20:  # more is free here than can be asked for
        configured.cli.text("create", "-q")
        return
    code, cause, remedy = configured.cli.error("create")
    assert code == 5 and f"{wanted} MiB are needed" in cause and f"`min_free_mib` in {configured.config}" in remedy


def test_memory_that_the_host_does_not_have_is_not_promised(configured):
    with open("/proc/meminfo", encoding="ascii") as meminfo:
        total_mib = int(meminfo.readline().split()[1]) // 1024
    each = min(16384, total_mib // 2 + 64)
    write(configured.config, f"max_running = 1000\ndefault_memory_mib = {each}\n")
    results = [configured.cli.run("create", "-q") for _ in range(total_mib // each + 1)]
    assert results[-1].returncode == 5 and b"MiB" in results[-1].stderr and b"memory" in results[-1].stderr


def test_what_is_configured_is_what_a_session_gets(configured):
    write(configured.config, "default_cpus = 2\ndefault_memory_mib = 300\ndefault_disk_gib = 3\n")
    session = configured.cli.json("create")
    assert (session["cpus"], session["memory_mib"], session["disk_gib"]) == (2, 300, 3)
    done = configured.cli.run("exec", session["id"], "--", "sh", "-c", "nproc; cat /sys/block/vd*/size | sort -n | tail -1")
    assert done.stdout.split() == [b"2", b"%d" % (3 * 2**30 // 512)]
    asked = configured.cli.run("create", "--image", "")
    assert asked.returncode == 0
    write(configured.config, "default_image = \"nosuch\"\n")
    reload(configured, "the new image is the default", lambda: values(configured)["default_image"] == "nosuch")
    code, cause, _ = configured.cli.error("create")
    assert code == 3 and "nosuch" in cause


def test_as_much_output_waits_as_is_configured(configured):
    write(configured.config, "exec_spool_mib = 4\n")
    box = configured.cli.json("create", "--memory", "256")["id"]
    configured.cli.text("exec", "-d", box, "--", "cat /dev/zero")

    def held():
        [command] = configured.cli.json("ps", box)
        return command["held"] and command

    # Some of it stays free, for what the command says when it is ended.
    assert 2 << 20 < eventually("the command is held", 60, held)["end_offset"] < 4 << 20


def test_where_hardware_is_required_nothing_else_starts(configured):
    hardware = configured.cli.json("status")["accelerator"] == "kvm"
    configured.cli.text("create", "-n", "box")
    configured.cli.text("stop", "box")
    write(configured.corp, "require_isolation = \"hardware\"\n")
    reload(configured, "it is locked", lambda: shown(configured)["require_isolation"]["locked"])
    if hardware:
        assert configured.cli.text("run", "echo ran") == "ran\n"
        return
    for words, expected in ((["create"], 4), (["start", "box"], 4), (["run", "true"], 125)):
        code, cause, remedy = configured.cli.error(*words)
        assert code == expected and f"{configured.corp}:1 requires hardware isolation" in cause
        assert "capsem status" in remedy
    assert len(configured.cli.json("list")) == 1
    assert any(configured.corp in problem for problem in configured.cli.json("status")["problems"])
