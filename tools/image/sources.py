"""The apt sources of this host for the guest's suite: mirror, proxy and keys as its owner chose."""

import subprocess

import definition
from failure import FAILED_PRECONDITION, Failure

# Debian's own suites of one release; other repositories of the host (drivers, editors) stay out.
_SUITES = tuple(definition.SUITE + suffix for suffix in ("", "-updates", "-security"))

# Settings under which the host's apt reaches its mirror; the guest's apt must reach the same one.
_APT_SETTINGS = ("Acquire::http", "Acquire::https", "Acquire::Check-Valid-Until",
                 "Acquire::Check-Date", "Acquire::Retries", "Acquire::ForceIPv4")


def read():
    """Lines for a sources.list, in the host's order."""
    lines = [_line(stanza) for stanza in _stanzas() if _is_ours(stanza)]
    if not lines:
        raise Failure(FAILED_PRECONDITION,
                      f"apt on this host has no source for Debian {definition.SUITE} main",
                      "add one to /etc/apt/sources.list.d, then run apt-get update")
    return list(dict.fromkeys(lines))


def apt_settings():
    """The host's transport settings, as lines of an apt.conf."""
    dump = subprocess.run(["apt-config", "dump"], stdout=subprocess.PIPE, text=True,
                          check=True).stdout
    return [line for line in dump.splitlines()
            if line.startswith(_APT_SETTINGS) and not line.endswith(' "";')]


def _stanzas():
    output = subprocess.run(["apt-get", "indextargets", "Created-By: Packages"],
                            stdout=subprocess.PIPE, text=True, check=True).stdout
    for block in output.split("\n\n"):
        stanza = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line)
        if stanza:
            yield stanza


def _is_ours(stanza):
    # Origin is known only after apt-get update; a host fresh from its installer has none yet.
    return (stanza.get("Release") in _SUITES and stanza.get("Component") == "main"
            and stanza.get("Origin", "Debian") == "Debian")


def _line(stanza):
    signed_by = stanza.get("Signed-By", "").strip()
    options = f"[signed-by={signed_by}] " if signed_by.startswith("/") else ""
    return f"deb {options}{stanza['Repo-URI']} {stanza['Release']} {stanza['Component']}"
