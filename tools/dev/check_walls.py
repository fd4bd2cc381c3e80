#!/usr/bin/python3
"""Who may include whom: the walls of docs/map.md, as two tables.

    tools/dev/check_walls.py [ROOT]

Rooms cannot include each other, for their include paths do not reach; this holds what the compiler does not: the order
inside a room, and which files may see the large libraries. Every fault is printed as FILE:LINE; exit code 1 if any.
"""
import fnmatch
import pathlib
import re
import sys

import source_files

# Files below a folder → the first words (or longer beginnings) that their quoted includes may have. The longest folder
# that fits counts. `.` is a file beside it, without a folder. Tests, mains and app may include everything of their
# room, and testing/ is for tests.
WALLS = {
    "subprojects/capsem-base/base": "base",
    "subprojects/capsem-guard/guard": "guard base",
    "capsem-proto/wire": "wire base capsem/guest/v1",
    "capsem-proto/settings": "settings base wire",
    "capsem-proto/rpc": "rpc base capsem/v1 capsem/process/v1",
    "capsem-service": "api session supervise store image template pool define testing base guard wire settings rpc capsem .",
    "capsem-service/session": "session supervise store image template pool define base wire settings capsem",
    "capsem-service/supervise": "supervise base wire rpc capsem",
    "capsem-service/store": "store base wire",
    "capsem-service/image": "image base wire capsem/v1",
    "capsem-service/template": "template base wire",
    "capsem-service/pool": "pool base wire",
    "capsem-service/define": "define base wire capsem/v1",
    "capsem-process": "api life confine config machine vsock guest telemetry testing base guard wire rpc capsem .",
    "capsem-process/machine": "machine base wire capsem",
    "capsem-process/vsock": "vsock base wire",
    "capsem-process/confine": "confine base",
    "capsem-process/guest": "guest base wire capsem",
    "capsem-process/telemetry": "telemetry base wire",
    "capsem-gateway": "http auth routes config base guard wire rpc capsem .",
    "capsem-gateway/http": "http base",
    "capsem-gateway/auth": "auth base",
    "capsem-gateway/routes": "routes auth http base wire rpc capsem",
    "guest-agent": "exec files boot power process testing base wire capsem/guest/v1 .",
    "guest-agent/process": "process base",
    "guest-agent/boot": "boot process base wire capsem/guest/v1",
    "guest-agent/exec": "exec boot process base wire capsem/guest/v1",
    "guest-agent/files": "files exec process base wire capsem/guest/v1",
    "guest-agent/power": "power exec process base",
    "tools": "capsem/v1 capsem base wire settings rpc commands testing .",
    "tests": "base guard wire rpc capsem guest machine confine supervise .",
}

# A library's headers → the files that may include them. It keeps builds short and logic testable without a server.
LIBRARIES = {
    r'<grpc|".*\.grpc\.pb\.h"|"rpc/': """
        capsem-proto/rpc/* capsem-proto/pch/* capsem-service/api/* capsem-service/supervise/process_client*
        capsem-service/testing/*
        capsem-process/api/* capsem-gateway/routes/forward* tools/capsem/client* tools/bench/*_client* tests/*
        capsem-service/main.cpp capsem-service/app* capsem-process/main.cpp capsem-process/app*""",
    r"<libvirt/": "capsem-service/define/libvirt_compiler_main.cpp",
    r"<sqlite3": "subprojects/capsem-base/base/sqlite*",
    r"<toml": "capsem-proto/settings/toml_values.cpp",
    r"<llhttp/": "capsem-gateway/http/http_message.cpp",
    r"<uv\.h>": "subprojects/capsem-base/*",
    r"<linux/kvm\.h>": "capsem-process/machine/kvm_probe*",
    r"<thread>|<mutex>|<condition_variable>": """
        subprojects/capsem-base/base/loop* capsem-proto/rpc/* capsem-process/telemetry/* *_test.cpp *_fuzz.cpp tests/*""",
}

INCLUDE = re.compile(r'^\s*#\s*include\s+([<"])([^>"]+)[>"]')


def room_rule(path):
    folders = [folder for folder in WALLS if path.startswith(folder + "/")]
    return max(folders, key=len, default=None)


def sees_everything(path):
    """main, app and tests know their whole room; so does what is only for tests."""
    name = pathlib.PurePath(path).name
    return name.endswith(("_test.cpp", "_fuzz.cpp")) or "main" in name or "/testing/" in path or name.startswith("app.")


def include_fault(path, opening, target):
    """What is wrong with this include, or None."""
    for pattern, allowed in LIBRARIES.items():
        if re.match(pattern, opening + target + (">" if opening == "<" else '"')):
            if not any(fnmatch.fnmatch(path, glob) for glob in allowed.split()):
                return f"{target} may be included only by {' '.join(allowed.split())}"
    if opening == "<":
        return None
    if re.match(r"app\.h$", target) and not re.search(r"(main|app(_test)?)\.cpp$", path):
        return "nothing includes app but main"
    folder = room_rule(path)
    if folder is None:
        return "lies in no room: give it one in tools/dev/check_walls.py and docs/map.md"
    words = WALLS[folder].split()
    if sees_everything(path):
        parents = [parent for parent in WALLS if folder.startswith(parent + "/")]
        words = sum((WALLS[parent].split() for parent in [folder, *parents]), ["catch2"])
    if "/" not in target:
        return None if "." in words else f"{folder} includes by folder, not {target}"
    if any(target.startswith(word + "/") for word in words):
        return None
    return f"{folder} may include {' '.join(words)}, not {target}"


def faults(root):
    found = []
    for path in source_files.tracked(*source_files.CPP, root=root):
        text = source_files.without_comments((root / path).read_text(errors="replace"))
        for number, line in enumerate(text.splitlines(), 1):
            match = INCLUDE.match(line)
            fault = match and include_fault(path, match.group(1), match.group(2))
            if fault:
                found.append(f"{path}:{number}: {fault}")
    return found


def main():
    root = pathlib.Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else source_files.ROOT
    found = faults(root)
    print("\n".join(found), end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
