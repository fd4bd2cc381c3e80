// Platform: x86; elsewhere: RunKvmGuest is Unimplemented.
// Platform: kvm; elsewhere: RunKvmGuest fails with the kernel's error.
#include "machine/kvm_probe_run.h"

#if defined(__x86_64__)

#include <fcntl.h>
#include <linux/kvm.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/time.h>

#include <cerrno>
#include <cstring>
#include <span>

#include "base/unique_fd.h"

extern "C" {
extern const uint8_t kvm_guest_start[];
extern const uint8_t kvm_guest_end[];
}

namespace capsem::process {
namespace {

constexpr size_t kMemoryBytes = size_t{8} << 20;
constexpr uint64_t kLoadedAt = 0x1000;  // as in kvm_probe_guest.S
constexpr uint16_t kPort = 0x510;       // likewise
constexpr size_t kMaxProgress = 32;
// Anywhere below 4 GiB where the guest has no memory; Intel's KVM keeps three pages there.
constexpr uint64_t kTssAddress = 0xfffbd000;

// The kernel's header gives struct kvm_cpuid2 a flexible array by a macro that makes it 12 bytes
// long in C++, and with it a wrong layout and wrong ioctl numbers: C's are 8 bytes and these.
struct Cpuid {
  uint32_t count;
  uint32_t padding;
  kvm_cpuid_entry2 entries[256];
};
constexpr size_t kCpuidHeader = 8;
static_assert(offsetof(Cpuid, entries) == kCpuidHeader);
constexpr unsigned long kGetSupportedCpuid =
    _IOC(_IOC_READ | _IOC_WRITE, KVMIO, 0x05, kCpuidHeader);
constexpr unsigned long kSetCpuid = _IOC(_IOC_WRITE, KVMIO, 0x90, kCpuidHeader);

// Set by the timer's signal, which ends KVM_RUN now or at its next entry.
volatile uint8_t* immediate_exit = nullptr;

Status Step(int fd, unsigned long request, uintptr_t argument, std::string_view name) {
  if (ioctl(fd, request, argument) < 0) return FromErrno("KVM: {}", name);
  return OkStatus();
}

template <typename T>
Status Step(int fd, unsigned long request, T* argument, std::string_view name) {
  return Step(fd, request, reinterpret_cast<uintptr_t>(argument), name);
}

StatusOr<UniqueFd> Make(int fd, unsigned long request, std::string_view name) {
  UniqueFd made(ioctl(fd, request, 0));
  if (!made.valid()) return FromErrno("KVM: {}", name);
  return made;
}

Status LoadGuest(int vm) {
  void* memory =
      mmap(nullptr, kMemoryBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return FromErrno("map the test guest's memory");
  std::memcpy(static_cast<uint8_t*>(memory) + kLoadedAt, kvm_guest_start,
              static_cast<size_t>(kvm_guest_end - kvm_guest_start));
  kvm_userspace_memory_region region{};
  region.memory_size = kMemoryBytes;
  region.userspace_addr = reinterpret_cast<uint64_t>(memory);
  return Step(vm, KVM_SET_USER_MEMORY_REGION, &region, "give it memory");
}

// Without it the guest may not enter long mode, on good hardware too.
Status SetCpuid(int kvm, int vcpu) {
  static Cpuid cpuid;
  cpuid.count = std::size(cpuid.entries);
  TRY(Step(kvm, kGetSupportedCpuid, &cpuid, "ask for its processor"));
  return Step(vcpu, kSetCpuid, &cpuid, "set its processor");
}

Status SetRegisters(int vcpu) {
  kvm_sregs segments{};
  TRY(Step(vcpu, KVM_GET_SREGS, &segments, "read its segments"));
  segments.cs.base = 0;
  segments.cs.selector = 0;
  TRY(Step(vcpu, KVM_SET_SREGS, &segments, "set its segments"));
  kvm_regs registers{};
  registers.rip = kLoadedAt;
  registers.rflags = 2;  // the bit that is always set
  return Step(vcpu, KVM_SET_REGS, &registers, "set its registers");
}

void StartTimer(kvm_run* run, std::chrono::milliseconds limit) {
  immediate_exit = &run->immediate_exit;
  struct sigaction action {};
  action.sa_handler = [](int) { *immediate_exit = 1; };
  sigaction(SIGALRM, &action, nullptr);
  itimerval timer{};
  timer.it_value.tv_sec = limit.count() / 1000;
  timer.it_value.tv_usec = (limit.count() % 1000) * 1000;
  setitimer(ITIMER_REAL, &timer, nullptr);
}

std::string EndOf(const kvm_run& run) {
  if (run.exit_reason == KVM_EXIT_HLT) return "halt";
  if (run.exit_reason == KVM_EXIT_INTERNAL_ERROR) {
    return fmt::format("internal error {}", run.internal.suberror);
  }
  if (run.exit_reason == KVM_EXIT_SHUTDOWN) return "triple fault";
  return fmt::format("exit {}", run.exit_reason);
}

// One OUT of the guest: its byte, or nothing for any other port access.
bool Spoke(const kvm_run& run, std::string& progress) {
  if (run.exit_reason != KVM_EXIT_IO || run.io.direction != KVM_EXIT_IO_OUT ||
      run.io.port != kPort || progress.size() >= kMaxProgress) {
    return false;
  }
  progress += *(reinterpret_cast<const char*>(&run) + run.io.data_offset);
  return true;
}

KvmRun RunToEnd(int vcpu, kvm_run* run) {
  KvmRun result;
  while (true) {
    if (ioctl(vcpu, KVM_RUN, 0) < 0) {
      result.end = errno == EINTR ? "still running" : std::string("error: ") + strerror(errno);
      return result;
    }
    if (!Spoke(*run, result.progress)) {
      result.end = EndOf(*run);
      return result;
    }
  }
}

}  // namespace

StatusOr<KvmRun> RunKvmGuest(std::chrono::milliseconds limit) {
  const UniqueFd kvm(open("/dev/kvm", O_RDWR | O_CLOEXEC));
  if (!kvm.valid()) return FromErrno("open /dev/kvm");
  if (ioctl(kvm.get(), KVM_GET_API_VERSION, 0) != KVM_API_VERSION) {
    return Internal("/dev/kvm speaks another version of its API");
  }
  const UniqueFd vm = TRY(Make(kvm.get(), KVM_CREATE_VM, "make a machine"));
  TRY(Step(vm.get(), KVM_SET_TSS_ADDR, kTssAddress, "set the TSS's address"));
  TRY(LoadGuest(vm.get()));
  const UniqueFd vcpu = TRY(Make(vm.get(), KVM_CREATE_VCPU, "make a processor"));
  TRY(SetCpuid(kvm.get(), vcpu.get()));
  TRY(SetRegisters(vcpu.get()));
  const int size = ioctl(kvm.get(), KVM_GET_VCPU_MMAP_SIZE, 0);
  if (size < static_cast<int>(sizeof(kvm_run))) return FromErrno("KVM: size of its state");
  void* state =
      mmap(nullptr, static_cast<size_t>(size), PROT_READ | PROT_WRITE, MAP_SHARED, vcpu.get(), 0);
  if (state == MAP_FAILED) return FromErrno("KVM: map its state");
  auto* run = static_cast<kvm_run*>(state);
  StartTimer(run, limit);
  return RunToEnd(vcpu.get(), run);
}

}  // namespace capsem::process

#else

namespace capsem::process {

StatusOr<KvmRun> RunKvmGuest(std::chrono::milliseconds) {
  return Unimplemented("KVM is probed on x86-64 only");
}

}  // namespace capsem::process

#endif
