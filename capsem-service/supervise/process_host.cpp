// Platform: memfd; elsewhere: Launch fails with the kernel's error (Linux before 3.17).
#include "supervise/process_host.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>

#include "base/log.h"
#include "wire/run_dir.h"

namespace capsem::service {
namespace {

using capsem::process::v1::LaunchSpec;

// The contract with capsem-process (process.proto): 3 = LaunchSpec, 4 = ready pipe, files from 5
// on.
constexpr uint32_t kFirstFile = 5;
constexpr std::string_view kReadyWord = "listening\n";
// It answers in 50 ms on an idle machine; four that start at once on two busy cores took 3 s.
constexpr std::chrono::seconds kStartLimit{30};
// The end of process.log that is looked at for the last thing it said.
constexpr off_t kLogTail = 2048;

StatusOr<UniqueFd> SealedMemory(const std::string& bytes) {
  UniqueFd fd(memfd_create("launch-spec", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd.valid()) return FromErrno("memfd for the launch specification");
  if (write(fd.get(), bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size())) {
    return FromErrno("write the launch specification");
  }
  // The descriptor's offset is shared with the child, which reads from the start.
  if (lseek(fd.get(), 0, SEEK_SET) != 0) return FromErrno("rewind the launch specification");
  constexpr int kSeals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL;
  if (fcntl(fd.get(), F_ADD_SEALS, kSeals) != 0) return FromErrno("seal the launch specification");
  return fd;
}

void AddFileHoles(ProcessSpec& spec) {
  uint32_t number = kFirstFile;
  for (const ProcessFile& file : spec.files) {
    LaunchSpec::Hole* hole = spec.launch.add_holes();
    hole->set_name(file.hole);
    hole->set_kind(LaunchSpec::Hole::KIND_FILE);
    hole->set_inherited_fd(number++);
    hole->set_writable(file.writable);
  }
}

// The last words of a process that could not go on, for a person who wants to know why; lines of
// its log proper, which are JSON, say nothing about that.
std::string LastLine(const std::string& path) {
  const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat info {};
  if (!fd.valid() || fstat(fd.get(), &info) != 0) return {};
  std::string text(static_cast<size_t>(kLogTail), '\0');
  const ssize_t count =
      pread(fd.get(), text.data(), text.size(), std::max<off_t>(0, info.st_size - kLogTail));
  text.resize(count > 0 ? static_cast<size_t>(count) : 0);
  while (!text.empty() && text.back() == '\n') text.pop_back();
  const size_t start = text.rfind('\n');
  const std::string line = start == std::string::npos ? text : text.substr(start + 1);
  return line.starts_with('{') ? std::string() : line;
}

}  // namespace

StatusOr<std::unique_ptr<ProcessHost>> ProcessHost::Launch(Loop& loop, ProcessSpec spec,
                                                           Events events) {
  const std::string log_path = spec.launch.session_dir() + "/" + session_file::kProcessLog;
  std::unique_ptr<ProcessHost> host(new ProcessHost(loop, log_path, std::move(events)));
  TRY(host->Start(std::move(spec)));
  return host;
}

ProcessHost::ProcessHost(Loop& loop, std::string log_path, Events events)
    : loop_(loop), log_path_(std::move(log_path)), events_(std::move(events)), start_limit_(loop) {}

Status ProcessHost::Start(ProcessSpec spec) {
  const UniqueFd log(open(log_path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  if (!log.valid()) return FromErrno("open {}", log_path_);
  int ready_pipe[2];
  if (pipe2(ready_pipe, O_CLOEXEC) != 0) return FromErrno("pipe");
  UniqueFd ready_end(ready_pipe[0]);
  UniqueFd child_end(ready_pipe[1]);
  AddFileHoles(spec);

  ChildSpec child;
  child.program = spec.program;
  child.args = {"--parent-pid", std::to_string(getpid())};
  child.env = std::move(spec.env);
  child.cwd = spec.launch.session_dir();
  child.stdout_fd = log.get();
  child.stderr_fd = log.get();
  child.new_session = true;
  child.fds.push_back(TRY(SealedMemory(spec.launch.SerializeAsString())));
  child.fds.push_back(std::move(child_end));
  for (ProcessFile& file : spec.files) child.fds.push_back(std::move(file.fd));
  child_ = TRY(Child::Spawn(loop_, std::move(child),
                            [this](ExitReason reason) { OnExit(std::move(reason)); }));

  ready_ = std::make_unique<ByteStream>(
      loop_, std::move(ready_end),
      ByteStream::Events{.on_bytes = [this](std::string_view bytes) { OnReadyBytes(bytes); },
                         .on_drained = [] {},
                         .on_end = [](const Status&) {}});
  start_limit_.Start(kStartLimit, [this] {
    killed_because_ = fmt::format("it did not listen within {} s", kStartLimit.count());
    Kill();
  });
  return OkStatus();
}

void ProcessHost::OnReadyBytes(std::string_view bytes) {
  ready_word_ += bytes;
  if (ready_word_.size() < kReadyWord.size()) return;
  ready_ = nullptr;
  if (ready_word_ != kReadyWord) {
    killed_because_ = "it did not say that it listens";
    return Kill();
  }
  start_limit_.Cancel();
  events_.on_listening();
}

void ProcessHost::HoldMachine(pid_t pid) {
  if (machine_ || !child_->running()) return;
  auto machine = Stray::Hold(loop_, pid, child_->pid(), [this] { TellWhenAllGone(); });
  if (machine.ok()) {
    machine_ = *std::move(machine);
  } else {
    log::Debug("the machine is not held", {{"pid", pid}, {"reason", machine.status()}});
  }
}

void ProcessHost::Kill() {
  child_->Signal(SIGKILL);
  if (machine_) machine_->Kill();
}

void ProcessHost::OnExit(ExitReason reason) {
  start_limit_.Cancel();
  if (!killed_because_.empty()) {
    reason_ = fmt::format("capsem-process was ended: {}", killed_because_);
  } else {
    const std::string last = reason.signal == 0 ? LastLine(log_path_) : std::string();
    reason_ = fmt::format("capsem-process ended with {}{}{}", reason.ToString(),
                          last.empty() ? "" : "; it said last: ", last);
  }
  // It dies with its parent anyway; this makes sure that nothing is left when on_gone is told.
  if (machine_) machine_->Kill();
  TellWhenAllGone();
}

void ProcessHost::TellWhenAllGone() {
  const bool machine_lives = machine_ && !machine_->gone();
  if (reason_.empty() || machine_lives) return;
  auto on_gone = std::move(events_.on_gone);  // it may destroy this
  on_gone(reason_);
}

}  // namespace capsem::service
