// Platform: kvm; elsewhere: the verdict says that there is no /dev/kvm.
#include "machine/kvm_probe.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "base/unique_fd.h"

namespace capsem::process {
namespace {

constexpr char kDevice[] = "/dev/kvm";
constexpr size_t kMaxAnswer = 4096;
// Sent by the child: status or run, then the texts.
constexpr std::string_view kRan = "ran";

std::string ReadWhole(const std::string& path) {
  const UniqueFd file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  char text[kMaxAnswer];
  const ssize_t count = file.valid() ? read(file.get(), text, sizeof text) : -1;
  return count > 0 ? std::string(text, static_cast<size_t>(count)) : "";
}

std::vector<std::string> Lines(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const size_t newline = text.find('\n');
    lines.emplace_back(text.substr(0, newline));
    text.remove_prefix(newline == std::string_view::npos ? text.size() : newline + 1);
  }
  return lines;
}

// What a verdict holds for: this boot of this kernel.
std::string CacheKey() {
  utsname kernel{};
  uname(&kernel);
  std::string boot = ReadWhole("/proc/sys/kernel/random/boot_id");
  while (!boot.empty() && boot.back() == '\n') boot.pop_back();
  return fmt::format("{} {}", boot, kernel.release);
}

// Reads until the end or the deadline. True: the writer has closed its end.
bool ReadUntil(int fd, Clock::TimePoint deadline, std::string& text) {
  while (true) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::Now());
    pollfd ready{fd, POLLIN, 0};
    const int count = poll(&ready, 1, static_cast<int>(std::max<int64_t>(0, left.count())));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    char bytes[512];
    const ssize_t got = read(fd, bytes, sizeof bytes);
    if (got <= 0) return true;
    if (text.size() < kMaxAnswer) text.append(bytes, static_cast<size_t>(got));
  }
}

[[noreturn]] void BeChild(int pipe, absl::FunctionRef<std::string()> work) {
  const std::string text = work();
  const ssize_t written = write(pipe, text.data(), text.size());
  _exit(written == static_cast<ssize_t>(text.size()) ? 0 : 1);
}

// Runs in the child: the run as text, since that is what a pipe carries.
std::string RunAsText() {
  const auto run = RunKvmGuest(kKvmGuestLimit);
  if (!run.ok()) {
    return fmt::format("{}\n{}", static_cast<int>(run.status().code()), Message(run.status()));
  }
  return fmt::format("{}\n{}\n{}", kRan, run->progress, run->end);
}

StatusOr<KvmRun> RunFromText(std::string_view text) {
  const std::vector<std::string> lines = Lines(text);
  if (lines.size() == 3 && lines[0] == kRan) return KvmRun{lines[1], lines[2]};
  if (lines.size() != 2) return Internal("the test guest's process said nothing");
  return MakeStatus(static_cast<StatusCode>(std::atoi(lines[0].c_str())), lines[1]);
}

StatusOr<KvmRun> RunGuestInChild() {
  return RunFromText(TRY(RunInChild(kKvmChildLimit, RunAsText)));
}

}  // namespace

KvmVerdict ProbeKvm(const std::string& cache_path) {
  const UniqueFd device(open(kDevice, O_RDWR | O_CLOEXEC));
  if (!device.valid()) return JudgeOpen(errno);
  const std::string key = CacheKey();
  if (auto kept = ReadKvmCache(cache_path, key)) return *kept;
  KvmVerdict verdict = JudgeRun(RunGuestInChild());
  if (verdict.settled && !cache_path.empty()) {
    const Status written = WriteKvmCache(cache_path, key, verdict);
    if (!written.ok()) log::Warning("the KVM verdict is not kept", {{"why", written}});
  }
  return verdict;
}

KvmVerdict JudgeOpen(int error) {
  switch (error) {
    case ENOENT:
    case ENXIO:
    case ENODEV:
      return {false, "there is no /dev/kvm: this host offers no hardware virtualisation",
              "turn VT-x or AMD-V on in the host's firmware (or nested virtualisation at its "
              "cloud), and load kvm_intel or kvm_amd",
              "", false};
    case EACCES:
    case EPERM:
      return {false, "you may not use /dev/kvm",
              "add your user to its group, usually `sudo usermod -aG kvm $USER`, and log in again",
              "", false};
    default:
      return {false, fmt::format("/dev/kvm cannot be opened: {}", strerror(error)), "", "", false};
  }
}

KvmVerdict JudgeRun(const StatusOr<KvmRun>& run) {
  if (absl::IsUnimplemented(run.status())) {
    return {false, std::string(Message(run.status())), "", "", false};
  }
  constexpr std::string_view kRemedy =
      "sessions are emulated here; a host whose KVM works runs them in hardware";
  if (!run.ok()) {
    // A host that was too busy may answer better the next time: not settled.
    return {false, fmt::format("/dev/kvm is there but not usable: {}", Message(run.status())),
            std::string(kRemedy), "", !absl::IsDeadlineExceeded(run.status())};
  }
  if (run->progress == kKvmGuestSays && run->end == "halt") {
    return {true, "KVM runs guests on this host", "", run->progress, true};
  }
  return {
      false,
      fmt::format("/dev/kvm is there but not usable: a test guest got as far as \"{}\", then {}",
                  run->progress, run->end),
      std::string(kRemedy), run->progress, run->end != "still running"};
}

StatusOr<std::string> RunInChild(std::chrono::milliseconds limit,
                                 absl::FunctionRef<std::string()> work) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return FromErrno("make a pipe");
  const UniqueFd read_end(ends[0]);
  UniqueFd write_end(ends[1]);
  const Clock::TimePoint deadline = Clock::Now() + limit;
  const pid_t child = fork();
  if (child < 0) return FromErrno("fork for the test guest");
  if (child == 0) BeChild(write_end.get(), work);
  write_end.Reset();
  std::string text;
  const bool ended = ReadUntil(read_end.get(), deadline, text);
  if (!ended) {
    kill(child, SIGKILL);
    // One that KVM does not let die yet is not waited for: whoever adopts it reaps it.
    if (ReadUntil(read_end.get(), Clock::Now() + kKvmDeathLimit, text)) waitpid(child, nullptr, 0);
    return DeadlineExceeded("the test guest did not end within {} ms", limit.count());
  }
  int status = 0;
  waitpid(child, &status, 0);
  if (!WIFEXITED(status)) return Internal("the test guest's process died");
  return text;
}

std::optional<KvmVerdict> ReadKvmCache(const std::string& path, std::string_view key) {
  const std::vector<std::string> lines = Lines(ReadWhole(path));
  if (lines.size() != 5 || lines[0] != key) return std::nullopt;
  if (lines[1] != "usable" && lines[1] != "not usable") return std::nullopt;
  return KvmVerdict{lines[1] == "usable", lines[2], lines[3], lines[4], true};
}

Status WriteKvmCache(const std::string& path, std::string_view key, const KvmVerdict& verdict) {
  // A last line that is empty still counts as one: it ends in a newline.
  const std::string text =
      fmt::format("{}\n{}\n{}\n{}\n{}\n", key, verdict.usable ? "usable" : "not usable",
                  verdict.reason, verdict.remedy, verdict.progress);
  const std::string fresh = fmt::format("{}.{}", path, getpid());
  const UniqueFd file(
      open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file.valid()) return FromErrno("write {}", fresh);
  const bool whole =
      write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
  if (whole && rename(fresh.c_str(), path.c_str()) == 0) return OkStatus();
  Status status = FromErrno("write {}", path);
  unlink(fresh.c_str());
  return status;
}

std::string ToJson(const KvmVerdict& verdict) {
  return fmt::format(R"({{"usable": {}, "reason": {}, "remedy": {}, "progress": {}}})",
                     verdict.usable, log::JsonQuote(verdict.reason), log::JsonQuote(verdict.remedy),
                     log::JsonQuote(verdict.progress));
}

}  // namespace capsem::process
