// Platform: memfd; elsewhere: Launch fails with the kernel's error (Linux before 3.17).
#include "supervise/process_host.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <fstream>

#include "base/log.h"
#include "supervise/last_word.h"
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

std::string LogIn(const std::string& session_dir) {
  return session_dir + "/" + session_file::kProcessLog;
}

// Of a capsem-process: QEMU, which its main thread has started. 0: there is none, or the kernel
// does not say; then the process does, when it is held.
pid_t FirstChildOf(pid_t pid) {
  std::ifstream file(fmt::format("/proc/{}/task/{}/children", pid, pid));
  pid_t child = 0;
  file >> child;
  return child;
}

}  // namespace

StatusOr<std::unique_ptr<ProcessHost>> ProcessHost::Launch(Loop& loop, ProcessSpec spec,
                                                           Events events) {
  std::unique_ptr<ProcessHost> host(
      new ProcessHost(loop, spec.launch.session_dir(), std::move(events)));
  TRY(host->Start(std::move(spec)));
  return host;
}

std::unique_ptr<ProcessHost> ProcessHost::Adopt(Loop& loop, AdoptedProcess process, Events events) {
  std::unique_ptr<ProcessHost> host(
      new ProcessHost(loop, std::move(process.session_dir), std::move(events)));
  host->group_ = std::move(process.group);
  host->adopted_ = Stray::Of(loop, process.pid, std::move(process.pidfd),
                             [self = host.get()] { self->OnAdoptedGone(); });
  if (const pid_t machine = FirstChildOf(process.pid)) host->HoldMachine(machine);
  return host;
}

ProcessHost::ProcessHost(Loop& loop, std::string session_dir, Events events)
    : loop_(loop),
      session_dir_(std::move(session_dir)),
      events_(std::move(events)),
      start_limit_(loop) {}

// A child ends with its owner by itself.
ProcessHost::~ProcessHost() {
  if (adopted_ && !left_) adopted_->Kill();
}

Status ProcessHost::Start(ProcessSpec spec) {
  const std::string log_path = LogIn(session_dir_);
  const UniqueFd log(open(log_path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  if (!log.valid()) return FromErrno("open {}", log_path);
  ForgetLastWord(session_dir_);
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
  group_ = std::move(spec.group);
  if (group_) child.group_fd = group_->fd();
  child_ = TRY(Child::Spawn(loop_, std::move(child),
                            [this](ExitReason reason) { OnExit(std::move(reason)); }));
  if (group_ && !child_->group_refusal().ok()) group_->Refuse(child_->group_refusal());

  ready_ = std::make_unique<ByteStream>(
      loop_, std::move(ready_end),
      ByteStream::Events{.on_bytes = [this](std::string_view bytes) { OnReadyBytes(bytes); },
                         .on_drained = [] {},
                         .on_end = [](const Status&) {}});
  start_limit_.Start(kStartLimit, [this] {
    Kill(fmt::format("it did not listen within {} s", kStartLimit.count()));
  });
  return OkStatus();
}

void ProcessHost::OnReadyBytes(std::string_view bytes) {
  ready_word_ += bytes;
  if (ready_word_.size() < kReadyWord.size()) return;
  ready_ = nullptr;
  if (ready_word_ != kReadyWord) return Kill("it did not say that it listens");
  start_limit_.Cancel();
  events_.on_listening();
}

void ProcessHost::HoldMachine(pid_t pid) {
  if (machine_ || !running()) return;
  auto machine = Stray::Hold(loop_, pid, this->pid(), [this] { TellWhenAllGone(); });
  if (machine.ok()) {
    machine_ = *std::move(machine);
  } else {
    log::Debug("the machine is not held", {{"pid", pid}, {"reason", machine.status()}});
  }
}

void ProcessHost::Kill(std::string why) {
  if (!why.empty() && running()) killed_because_ = std::move(why);
  if (child_) child_->Signal(SIGKILL);
  if (adopted_) adopted_->Kill();
  if (machine_) machine_->Kill();
}

void ProcessHost::Leave() {
  left_ = true;
  if (group_) group_->Leave();
  if (child_) child_->Release();
  events_.on_gone = nullptr;
}

void ProcessHost::OnExit(ExitReason reason) {
  start_limit_.Cancel();
  const std::string last = reason.signal == 0 ? LastLine(LogIn(session_dir_)) : std::string();
  OnProcessGone({fmt::format("capsem-process ended with {}{}{}", reason.ToString(),
                             last.empty() ? "" : "; it said last: ", last)});
}

// How it exited only its parent is told. One that has left a word was about to go: that we killed
// it in the same moment is not why.
void ProcessHost::OnAdoptedGone() {
  const auto word = ReadLastWord(session_dir_);
  if (word) killed_because_.clear();
  OnProcessGone(word ? ProcessEnd{word->reason, word->clean, word->restart}
                     : ProcessEnd{"capsem-process was killed"});
}

void ProcessHost::OnProcessGone(ProcessEnd end) {
  end_ = std::move(end);
  if (!killed_because_.empty())
    end_ = ProcessEnd{fmt::format("capsem-process was ended: {}", killed_because_)};
  // It dies with its parent anyway; this makes sure that nothing is left when on_gone is told.
  if (machine_) machine_->Kill();
  TellWhenAllGone();
}

void ProcessHost::TellWhenAllGone() {
  const bool machine_lives = machine_ && !machine_->gone();
  if (!end_ || machine_lives || !events_.on_gone) return;
  group_ = nullptr;
  auto on_gone = std::move(events_.on_gone);  // it may destroy this
  on_gone(*std::move(end_));
}

}  // namespace capsem::service
