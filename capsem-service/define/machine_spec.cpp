// Platform: x86; elsewhere: libvirt refuses the machine type, and the error names it.
#include "define/machine_spec.h"

#include <fmt/format.h>
#include <sys/random.h>

#include <array>
#include <cstdint>

#include "base/status.h"

namespace capsem::service {
namespace {

// The oldest QEMU that we support has it, and each newer one keeps it for six years; a saved
// machine loads only under the type that it was saved with.
constexpr char kMachineType[] = "pc-q35-7.2";
constexpr char kEmulator[] = "/usr/bin/qemu-system-x86_64";

// Under TCG two things decide how fast a guest is. An Intel model makes the kernel isolate its page
// tables, which empties the emulated TLB at each system call: 15-20 us instead of 0.7. A model with
// "erms" makes it clear and copy memory by single bytes, 5-8 times slower (so "max" is slow). EPYC
// has neither, has all of x86-64-v3, and starts a process in 2.3 ms where Haswell needs 4-16. Left
// out is what QEMU 7.2 cannot emulate and would warn of, and svm: a guest's hypervisor is one more
// piece of QEMU to attack.
const CpuModel kEmulatedCpu = {"EPYC",
                               {"xsavec", "nrip-save", "topoext", "osvw", "3dnowprefetch",
                                "misalignsse", "fxsr_opt", "sha-ni", "rdseed", "svm"}};

// Under KVM: the oldest server model with AVX2, which ready-made Python wheels and runtimes expect,
// and with the means against Spectre. QEMU leaves out what an older host lacks. By vendor, because
// the guest kernel chooses its own protection by the vendor and family that it sees.
const CpuModel kIntelCpu = {"Haswell-noTSX-IBRS", {}};
const CpuModel kAmdCpu = {"EPYC-IBPB", {"svm"}};

const CpuModel& CpuFor(Accelerator accelerator, HostCpu host_cpu) {
  if (accelerator == Accelerator::kTcg) return kEmulatedCpu;
  return host_cpu == HostCpu::kAmd ? kAmdCpu : kIntelCpu;
}

}  // namespace

MachineSpec MakeMachineSpec(Accelerator accelerator, HostCpu host_cpu) {
  MachineSpec spec;
  spec.accelerator = accelerator;
  // Emulation translates code by its address: without randomisation each exec after the first is
  // 3-4 times faster. Where isolation is the hardware's, the guest keeps its own hardening.
  spec.guest_aslr = accelerator == Accelerator::kTcg ? GuestAslr::kOff : GuestAslr::kOn;
  spec.cpu = CpuFor(accelerator, host_cpu);
  spec.machine_type = kMachineType;
  spec.emulator = kEmulator;
  return spec;
}

MachineSpec ShapeOf(const MachineSpec& spec) {
  MachineSpec shape = spec;
  shape.name = "shape";
  shape.uuid = "00000000-0000-4000-8000-000000000001";
  shape.genid = "00000000-0000-4000-8000-000000000002";
  shape.files = {"/shape/kernel", "/shape/initrd", "/shape/root", "/shape/disk", "/shape/serial"};
  return shape;
}

std::string KernelCommandLine(const MachineSpec& spec) {
  // A kernel that oopsed is no longer to be trusted with anybody's work: it ends at once, and the
  // machine with it. The audit backlog is what a busy build fills before the agent reads it.
  std::string line =
      "console=ttyS0 quiet panic=-1 oops=panic audit=1 audit_backlog_limit=8192"
      // Self-tests of ciphers only cost time.
      " cryptomgr.notests";
  if (spec.accelerator == Accelerator::kTcg) {
    // An emulated clock ticks when the host lets it: the kernel must neither calibrate by it nor
    // call it unstable.
    line += " tsc=reliable no_timer_check";
    // They guard against what a processor guesses ahead. Here it is the emulator that runs the
    // guest's code, by jumps of its own; the kernel's detours for each return and indirect call
    // only cost.
    line += " mitigations=off";
    if (spec.tsc_mhz != 0) line += fmt::format(" tsc_early_khz={}", spec.tsc_mhz * 1000);
    if (spec.guest_aslr == GuestAslr::kOff) line += " norandmaps";
  }
  return line;
}

std::string_view Isolation(Accelerator accelerator) {
  return accelerator == Accelerator::kKvm ? "hardware" : "emulated";
}

std::string_view AcceleratorName(Accelerator accelerator) {
  return accelerator == Accelerator::kKvm ? "kvm" : "tcg";
}

HostCpu HostCpuFrom(std::string_view cpuinfo) {
  const bool amd = cpuinfo.find("AuthenticAMD") != std::string_view::npos ||
                   cpuinfo.find("HygonGenuine") != std::string_view::npos;
  return amd ? HostCpu::kAmd : HostCpu::kIntel;
}

std::string RandomUuid() {
  std::array<uint8_t, 16> b;
  // Never short for so few bytes, and fails only where the system call does not exist.
  ENSURE(getrandom(b.data(), b.size(), 0) == static_cast<ssize_t>(b.size()));
  b[6] = static_cast<uint8_t>((b[6] & 0x0f) | 0x40);
  b[8] = static_cast<uint8_t>((b[8] & 0x3f) | 0x80);
  return fmt::format(
      "{:02x}{:02x}{:02x}{:02x}-{:02x}{:02x}-{:02x}{:02x}-{:02x}{:02x}-"
      "{:02x}{:02x}{:02x}{:02x}{:02x}{:02x}",
      b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14],
      b[15]);
}

}  // namespace capsem::service
