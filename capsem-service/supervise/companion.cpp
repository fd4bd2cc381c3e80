#include "supervise/companion.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <filesystem>

#include "base/log.h"

namespace capsem::service {
namespace {

// It listens in 50 ms on an idle machine; this only ends one that hangs.
constexpr std::chrono::seconds kReadyLimit{30};
// One that has run so long was well: what ends it then is a new failure, not the next of a row.
constexpr std::chrono::seconds kStable{10};
// A line with an address.
constexpr size_t kMaxLine = 1024;
// From TERM to KILL.
constexpr std::chrono::milliseconds kGrace{300};

}  // namespace

Companion::Companion(Loop& loop, CompanionSpec spec)
    : loop_(loop), spec_(std::move(spec)), timer_(loop) {}

Companion::~Companion() { RemoveFiles(); }

void Companion::Start() {
  if (stopped_ || child_) return;
  state_ = "starting";
  // Of one that was killed with its service.
  RemoveFiles();
  spec_.find_program([self = weak_.Get()](const StatusOr<std::string>& program) {
    if (self) self->OnProgram(program);
  });
}

void Companion::OnProgram(const StatusOr<std::string>& program) {
  if (stopped_) return;
  const Status spawned = program.ok() ? Spawn(*program) : program.status();
  if (!spawned.ok()) TryLater(fmt::format("{} cannot be started: {}", spec_.name, spawned));
}

Status Companion::Spawn(const std::string& program) {
  const UniqueFd log(
      open(spec_.log_path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!log.valid()) return FromErrno("open {}", spec_.log_path);
  int ready[2];
  if (pipe2(ready, O_CLOEXEC) != 0) return FromErrno("pipe");
  UniqueFd read_end(ready[0]);
  UniqueFd write_end(ready[1]);
  ChildSpec child;
  child.program = program;
  child.args = {"--parent-pid", std::to_string(getpid()), "--ready-fd", "3"};
  child.args.insert(child.args.end(), spec_.args.begin(), spec_.args.end());
  child.env = spec_.env;
  child.stdout_fd = log.get();
  child.stderr_fd = log.get();
  child.new_session = true;
  child.fds.push_back(std::move(write_end));
  child_ = TRY(
      Child::Spawn(loop_, std::move(child), [this](const ExitReason& reason) { OnExit(reason); }));
  said_.clear();
  started_ = Clock::Now();
  ready_pipe_ = std::make_unique<ByteStream>(
      loop_, std::move(read_end),
      ByteStream::Events{.on_bytes = [this](std::string_view bytes) { OnReadyBytes(bytes); },
                         .on_drained = [] {},
                         .on_end = [](const Status&) {}});
  timer_.Start(kReadyLimit, [this] { child_->Signal(SIGKILL); });
  return OkStatus();
}

void Companion::OnReadyBytes(std::string_view bytes) {
  said_ += bytes;
  const size_t end = said_.find('\n');
  if (end == std::string::npos && said_.size() < kMaxLine) return;
  ready_pipe_ = nullptr;
  timer_.Cancel();
  if (end == std::string::npos) return child_->Signal(SIGKILL);
  ready_ = true;
  state_ = said_.substr(0, end);
  log::Info("a companion is ready",
            {{"name", spec_.name}, {"pid", child_->pid()}, {"state", state_}});
}

void Companion::OnExit(const ExitReason& reason) {
  timer_.Cancel();
  ready_pipe_ = nullptr;
  // We are in one of its events.
  loop_.Post([dead = std::shared_ptr<Child>(std::move(child_))] {});
  RemoveFiles();
  if (ready_ && Clock::Now() - started_ >= kStable) failures_ = 0;
  ready_ = false;
  if (stopped_) return;
  TryLater(fmt::format("{} ended with {}", spec_.name, reason.ToString()));
}

void Companion::TryLater(const std::string& why) {
  const auto delay = spec_.backoff.Delay(++failures_);
  state_ = fmt::format("{}; it is started again, its log is {}", why, spec_.log_path);
  log::Warning("a companion is not there",
               {{"name", spec_.name}, {"reason", why}, {"again_in_ms", delay.count()}});
  timer_.Start(delay, [this] { Start(); });
}

void Companion::Stop() {
  if (std::exchange(stopped_, true)) return;
  state_ = "stopped";
  ready_ = false;
  timer_.Cancel();
  if (child_) child_->Stop(kGrace);
}

void Companion::RemoveFiles() {
  for (const std::string& path : spec_.files) {
    unlink(path.c_str());
    // What WriteSmallFile had not renamed yet.
    const std::filesystem::path whole(path);
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(whole.parent_path(), error)) {
      const std::string name = entry.path().filename();
      if (name.starts_with(whole.filename().string() + ".")) unlink(entry.path().c_str());
    }
  }
}

}  // namespace capsem::service
