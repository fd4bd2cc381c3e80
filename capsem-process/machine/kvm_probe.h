// Is KVM usable, not just present? A host may show /dev/kvm and yet run no guest (nested clouds),
// so the answer is had by running a small guest, in a child that can be killed, within 300 ms. The
// service asks by the program capsem-kvm-probe (kvm_probe_main.cpp); nothing here has a loop.
#pragma once

#include <absl/functional/function_ref.h>

#include <chrono>
#include <optional>
#include <string>

#include "base/status.h"
#include "machine/kvm_probe_run.h"

namespace capsem::process {

struct KvmVerdict {
  bool usable = false;
  std::string reason;    // a sentence, also when usable
  std::string remedy;    // what helps, or ""
  std::string progress;  // what the test guest said, when it ran
  // Whether another boot or kernel alone can change it: such an answer may be kept.
  bool settled = false;
};

// The whole probe takes at most the sum: the guest's own limit is below the child's, and a child
// that does not even die at once is left behind.
inline constexpr std::chrono::milliseconds kKvmGuestLimit{200};
inline constexpr std::chrono::milliseconds kKvmChildLimit{250};
inline constexpr std::chrono::milliseconds kKvmDeathLimit{40};

// Asks this host. With a cache file the guest runs once per boot and kernel; the right to open
// /dev/kvm is looked at each time, for it changes by one command.
KvmVerdict ProbeKvm(const std::string& cache_path);
// One line of JSON: {"usable", "reason", "remedy", "progress"}.
std::string ToJson(const KvmVerdict& verdict);

// The parts, each by itself.

// What errno of opening /dev/kvm means.
KvmVerdict JudgeOpen(int error);
KvmVerdict JudgeRun(const StatusOr<KvmRun>& run);
// What `work` returns, from a child process of its own. DeadlineExceeded: it had to be killed.
StatusOr<std::string> RunInChild(std::chrono::milliseconds limit,
                                 absl::FunctionRef<std::string()> work);
// The verdict kept under this key; nothing when there is none, or it is not readable as one.
std::optional<KvmVerdict> ReadKvmCache(const std::string& path, std::string_view key);
Status WriteKvmCache(const std::string& path, std::string_view key, const KvmVerdict& verdict);

}  // namespace capsem::process
