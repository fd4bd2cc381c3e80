#!/usr/bin/python3
"""What not every machine or kernel has lives only in files that say so, with their other branch or refusal.

    tools/dev/check_platform.py [ROOT]

A file that uses such a thing carries, anywhere in its comments, one line for it:

    // Platform: pidfd; elsewhere: Spawn fails with the kernel's error.

The name is one of FEATURES. A line for something that the file does not use is a fault too, so that the list of places
(grep -rn 'Platform:') stays true. Code for one kind of processor also needs an #else or an #error. Tests are free.
"""
import pathlib
import re
import sys

import source_files

# name → what gives its use away, in code or in strings. The figure is the first Linux that has it, where one is known.
FEATURES = {
    # processors
    "x86": r"__x86_64__|_mm_\w+|\w+intrin\.h|__rdtsc|\b(?:__)?asm(?:__)?\b|\bx86[-_]64\b|\bq35\b|\bhpet\b|\btsc(_early_khz)?=",
    "kvm": r"/dev/kvm|linux/kvm\.h|\bKVM_[A-Z]\w+",
    # the kernel
    "pidfd": r"pidfd_open|pidfd_send_signal|P_PIDFD|pidfd_getfd",                  # 5.3, 5.4
    "close_range": r"\bclose_range\b|CLOSE_RANGE_\w+",                             # 5.9, CLOEXEC 5.11
    "memfd": r"\bmemfd_create\b|\bF_ADD_SEALS\b",                                  # 3.17
    "openat2": r"\bopenat2\b|\bRESOLVE_BENEATH\b",                                 # 5.6
    "landlock": r"\blandlock_\w+|LANDLOCK_\w+",                                    # 5.13
    "seccomp": r"\bSECCOMP_\w+|\bPR_SET_SECCOMP\b|linux/seccomp\.h",
    "cgroup2": r"cgroup\.(kill|freeze|procs|subtree_control)|\bcgroup2\b",         # 5.14 for cgroup.kill
    "vsock": r"\bAF_VSOCK\b|linux/vm_sockets\.h",
    "io_flusher": r"\bPR_SET_IO_FLUSHER\b",                                        # 5.6
    "overlay": r"\"overlay\"",
    "erofs": r"\"erofs\"",
    "userfaultfd": r"\buserfaultfd\b",
    "process_vm": r"\bprocess_vm_(readv|writev)\b",
    "finit_module": r"\bfinit_module\b",
    "subreaper": r"\bPR_SET_CHILD_SUBREAPER\b",
    "namespaces": r"\bCLONE_NEW\w+|\bunshare\(",
}

DECLARED = re.compile(r"Platform: (\w+); elsewhere: \w+")
PROCESSOR_CODE = re.compile(r"_mm_\w+|immintrin\.h|__rdtsc|\b(?:__)?asm(?:__)?\b")
OTHER_BRANCH = re.compile(r"^\s*#\s*(else|error)\b", re.MULTILINE)


def file_faults(path, text):
    code = source_files.without_comments(text)
    declared = {match.group(1): text.count("\n", 0, match.start()) + 1 for match in DECLARED.finditer(text)}
    for name, line in declared.items():
        if name not in FEATURES:
            yield f"{path}:{line}: no platform feature is called {name}; tools/dev/check_platform.py has the list"
        elif not re.search(FEATURES[name], code):
            yield f"{path}:{line}: says Platform: {name} and does not use it"
    for name, pattern in FEATURES.items():
        used = re.search(pattern, code)
        if used and name not in declared:
            line = code.count("\n", 0, used.start()) + 1
            yield f"{path}:{line}: uses {used.group(0).strip()} and does not say `Platform: {name}; elsewhere: …`"
    if PROCESSOR_CODE.search(code) and not OTHER_BRANCH.search(code):
        yield f"{path}:1: has code for one processor without an #else or #error"


def is_bound(path):
    """Product code: tests and what is only for them may assume the machine that they run on."""
    name = pathlib.PurePath(path).name
    return not (name.endswith(("_test.cpp", "_fuzz.cpp")) or "/testing/" in path or path.startswith("tests/"))


def faults(root):
    for path in source_files.tracked(*source_files.CPP, ".c", root=root):
        if is_bound(path):
            yield from file_faults(path, (root / path).read_text(errors="replace"))


def main():
    root = pathlib.Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else source_files.ROOT
    found = list(faults(root))
    print("\n".join(found), end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
