#include "turn.h"

#include <fcntl.h>

#include <chrono>
#include <memory>
#include <sstream>

#include "base/clock.h"
#include "base/process_id.h"
#include "base/small_file.h"
#include "base/timer.h"
#include "socket_wait.h"
#include "supervise/stray.h"

namespace capsem::service {
namespace {

// A service that has the lock serves within a second, and leaves within one; this is for a very
// busy host.
constexpr std::chrono::seconds kOtherLimit{30};
constexpr size_t kMaxLockFile = 256;
// Whoever has just taken the lock writes its pid into it at once; somebody else's tool never does.
constexpr std::chrono::milliseconds kUnknownPause{10};

struct Other {
  pid_t pid = 0;
  std::string version;
};

// What it has written into the lock file; it may be about to.
Other ReadOther(const std::string& lock_path) {
  Other other;
  std::istringstream text(ReadSmallFile(AT_FDCWD, lock_path, kMaxLockFile).value_or(""));
  text >> other.pid >> other.version;
  return other;
}

// Ok: it serves. Cancelled: it has ended, or cannot be found. DeadlineExceeded: neither.
class Wait {
 public:
  Wait(Loop& loop, const RunDir& dirs)
      : loop_(loop),
        limit_(loop),
        serves_(loop, dirs.ServiceSocket(), kOtherLimit,
                [this](const Status& status) { Over(status); }) {}

  Status Run(pid_t pid) {
    const Status ended = Cancelled("the other service has ended");
    auto process = Hold(pid);
    std::unique_ptr<Stray> other;
    if (process.ok()) {
      other = Stray::Of(loop_, pid, *std::move(process), [this, ended] { Over(ended); });
    } else {
      limit_.Start(kUnknownPause, [this, ended] { Over(ended); });
    }
    if (!answer_) loop_.Run();
    return *answer_;
  }

 private:
  static StatusOr<UniqueFd> Hold(pid_t pid) { return HoldProcess(TRY(IdentifyProcess(pid))); }
  void Over(const Status& status) {
    if (!answer_) answer_ = status;
    loop_.Stop();
  }

  Loop& loop_;
  std::optional<Status> answer_;
  Timer limit_;
  SocketWait serves_;
};

std::string Tell(const Other& other, const RunDir& dirs, const std::string& own_version) {
  if (other.version == own_version || other.version.empty())
    return fmt::format("another service serves {} already", dirs.ServiceSocket());
  return fmt::format(
      "another service, of version {0}, serves {1} already; this is version {2}: to have this one, "
      "end that one (`kill {3}`: its machines go on) and start again",
      other.version, dirs.ServiceSocket(), own_version, other.pid);
}

}  // namespace

StatusOr<Turn> TakeTurn(Loop& loop, const RunDir& dirs, const std::string& own_version) {
  const auto limit = Clock::Now() + kOtherLimit;
  while (true) {
    auto lock = TRY(SingleInstance::Acquire(dirs.ServiceLock(), own_version));
    if (lock) return Turn{std::move(lock), {}};
    const Other other = ReadOther(dirs.ServiceLock());
    const Status serves = Wait(loop, dirs).Run(other.pid);
    if (serves.ok()) return Turn{std::nullopt, Tell(other, dirs, own_version)};
    if (serves.code() != StatusCode::kCancelled) return serves;
    if (Clock::Now() > limit)
      return DeadlineExceeded("{} is locked, and nobody serves", dirs.ServiceLock());
  }
}

}  // namespace capsem::service
