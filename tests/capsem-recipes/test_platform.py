"""check_platform.py: what not every host has is declared where it is used, and nowhere else."""
import check_platform
import pytest

pytestmark = pytest.mark.recipes

CASES = [
    # text, a word of the fault; None when there is none
    ("int a;\n", None),
    ('open("/dev/kvm", O_RDWR);\n', "Platform: kvm"),
    ('// Platform: kvm; elsewhere: TCG is used.\nopen("/dev/kvm", O_RDWR);\n', None),
    ("// about /dev/kvm, in words only\n", None),
    ("// Platform: kvm; elsewhere: TCG is used.\nint a;\n", "does not use it"),
    ("// Platform: kvm\nioctl(fd, KVM_RUN);\n", "Platform: kvm"),
    ("// Platform: kvmm; elsewhere: nothing.\nint a;\n", "no platform feature"),
    ("syscall(SYS_pidfd_open, pid, 0);\n", "Platform: pidfd"),
    ('write("cgroup.kill");\n', "Platform: cgroup2"),
    ('// Platform: x86; elsewhere: refused.\nasm("hlt");\n', "without an #else"),
    ('// Platform: x86; elsewhere: refused.\n#ifdef __x86_64__\nasm("hlt");\n#else\n#error "x86 only"\n#endif\n', None),
]


@pytest.mark.parametrize("text,fault", CASES, ids=range(len(CASES)))
def test_a_gate_holds(text, fault):
    found = list(check_platform.file_faults("capsem-process/machine/a.cpp", text))
    assert (not found) if fault is None else any(fault in sentence for sentence in found), found


@pytest.mark.parametrize("path,bound", [
    ("capsem-process/machine/kvm_probe.cpp", True),
    ("capsem-process/machine/kvm_probe_test.cpp", False),
    ("subprojects/capsem-base/base/testing/temp_dir.h", False),
    ("tests/support/local_process_main.cpp", False),
])
def test_tests_may_assume_their_machine(path, bound):
    assert check_platform.is_bound(path) == bound
