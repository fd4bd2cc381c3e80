#include "machine/qemu_child.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <set>
#include <utility>

#include "base/log.h"

namespace capsem::process {
namespace {

constexpr std::string_view kHole = "{fd:";
// Of QEMU's own words in our log: it says little, unless it has been taken over.
constexpr size_t kLogBurst = 16 * 1024;
constexpr size_t kLogPerSecond = 256;
// After its death the pipe holds at most 64 KiB.
constexpr int kDrainChunks = 64;
constexpr size_t kChunk = 4096;

StatusOr<std::string> FillArgument(std::string_view argument,
                                   const std::map<std::string, int>& numbers,
                                   std::set<std::string>& used) {
  std::string filled;
  for (size_t at = argument.find(kHole); at != std::string_view::npos; at = argument.find(kHole)) {
    filled += argument.substr(0, at);
    argument.remove_prefix(at + kHole.size());
    const size_t end = argument.find('}');
    if (end == std::string_view::npos)
      return InvalidArgument("a hole without an end: {}", argument);
    const std::string name(argument.substr(0, end));
    const auto number = numbers.find(name);
    if (number == numbers.end()) return InvalidArgument("nothing fills the hole {{fd:{}}}", name);
    used.insert(name);
    filled += std::to_string(number->second);
    argument.remove_prefix(end + 1);
  }
  return filled += argument;
}

}  // namespace

StatusOr<std::vector<std::string>> FillHoles(const std::vector<std::string>& argv,
                                             const std::map<std::string, int>& numbers) {
  std::vector<std::string> filled;
  std::set<std::string> used;
  for (const std::string& argument : argv) {
    filled.push_back(TRY(FillArgument(argument, numbers, used)));
  }
  for (const auto& [name, number] : numbers) {
    if (!used.contains(name)) return InvalidArgument("no argument of QEMU uses {}", name);
  }
  return filled;
}

StatusOr<std::unique_ptr<QemuChild>> QemuChild::Spawn(Loop& loop, QemuChildSpec spec,
                                                      Child::OnExit on_exit) {
  ChildSpec child;
  std::map<std::string, int> numbers;
  for (auto& [name, fd] : spec.files) {
    numbers[name] = 3 + static_cast<int>(child.fds.size());
    child.fds.push_back(std::move(fd));
  }
  std::vector<std::string> argv = TRY(FillHoles(spec.argv, numbers));
  if (argv.empty()) return InvalidArgument("QEMU's command line is empty");
  child.program = argv.front();
  if (access(child.program.c_str(), X_OK) != 0) {
    return WithRemedy(FromErrno("run {}", child.program), "install the package qemu-system-x86");
  }
  child.args.assign(argv.begin() + 1, argv.end());
  child.cwd = spec.cwd;
  child.filter = std::move(spec.filter);
  child.parent_death_signal = SIGKILL;
  child.new_session = true;  // Ctrl-C in the service's terminal is not meant for a guest

  int ends[2];
  if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return FromErrno("make a pipe for QEMU's stderr");
  const UniqueFd write_end(ends[1]);
  // QEMU shares the open file description's flags of its own end only: writes there may block.
  fcntl(write_end.get(), F_SETFL, 0);
  child.stderr_fd = write_end.get();
  std::unique_ptr<QemuChild> qemu(new QemuChild(loop, UniqueFd(ends[0]), std::move(on_exit)));
  auto started = Child::Spawn(loop, std::move(child),
                              [self = qemu.get()](ExitReason reason) { self->OnExit(reason); });
  qemu->child_ = TRY(std::move(started));
  return qemu;
}

QemuChild::QemuChild(Loop& loop, UniqueFd stderr_pipe, Child::OnExit on_exit)
    : stderr_pipe_(std::move(stderr_pipe)),
      on_exit_(std::move(on_exit)),
      log_budget_(kLogBurst, kLogPerSecond, Clock::Now()),
      stderr_watch_(loop, stderr_pipe_.get(), [this](int) { ReadStderr(); }) {
  stderr_watch_.Want(FdWatch::kReadable);
}

void QemuChild::Kill() { child_->Signal(SIGKILL); }

bool QemuChild::ReadStderr() {
  char chunk[kChunk];
  const ssize_t count = read(stderr_pipe_.get(), chunk, sizeof chunk);
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return false;
  if (count <= 0) {
    stderr_watch_.Want(0);
    return false;
  }
  const std::string_view bytes(chunk, static_cast<size_t>(count));
  tail_.Append(bytes);
  LogLines(bytes);
  return true;
}

void QemuChild::LogLines(std::string_view bytes) {
  for (const char byte : bytes) {
    if (byte != '\n') {
      if (line_.size() < TextTail::kLineBytes) line_ += byte;
      continue;
    }
    const std::string line = CleanLine(std::exchange(line_, {}));
    if (line.empty() || log_budget_.Take(line.size(), Clock::Now()) < line.size()) continue;
    log::Warning("QEMU says", {{"line", line}});
  }
}

void QemuChild::OnExit(ExitReason reason) {
  for (int chunk = 0; chunk < kDrainChunks; ++chunk) {
    if (!ReadStderr()) break;
  }
  Child::OnExit on_exit = std::move(on_exit_);  // it may destroy this
  on_exit(reason);
}

}  // namespace capsem::process
