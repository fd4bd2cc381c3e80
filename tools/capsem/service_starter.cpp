// Platform: pidfd; elsewhere: ServiceEnd waits for the lock alone, a moment less.
#include "service_starter.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <fstream>
#include <optional>
#include <sstream>

#include "base/child.h"
#include "base/unix_socket.h"

namespace capsem::cli {
namespace {

constexpr int kReadyFd = 3;
constexpr std::string_view kReadyWord = "listening\n";
constexpr std::string_view kFailedWord = "failed\n";

// Where state lies, what language and where programs are; CAPSEM_* are settings of ours.
constexpr std::array<std::string_view, 9> kGiven = {"HOME",
                                                    "PATH",
                                                    "USER",
                                                    "LOGNAME",
                                                    "TMPDIR",
                                                    "XDG_STATE_HOME",
                                                    "XDG_CONFIG_HOME",
                                                    "XDG_RUNTIME_DIR",
                                                    "XDG_CACHE_HOME"};

// Actions and attributes of posix_spawn, freed at the end.
struct SpawnPlan {
  SpawnPlan() {
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
  }
  ~SpawnPlan() {
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
  }
  SpawnPlan(const SpawnPlan&) = delete;
  SpawnPlan& operator=(const SpawnPlan&) = delete;
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
};

StatusOr<UniqueFd> TakeTurn(const RunDir& dir) {
  const std::string path = dir.runtime + "/service.start";
  UniqueFd lock(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!lock.valid()) return FromErrno("open {}", path);
  while (flock(lock.get(), LOCK_EX) != 0) {
    if (errno != EINTR) return FromErrno("lock {}", path);
  }
  return lock;
}

StatusOr<pid_t> SpawnService(const std::string& program, const RunDir& dir, int log, int ready) {
  SpawnPlan plan;
  posix_spawn_file_actions_addopen(&plan.actions, 0, "/dev/null", O_RDONLY, 0);
  // On a read-only disk there is none: what keeps it from starting it says on the pipe.
  for (const int stream : {STDOUT_FILENO, STDERR_FILENO}) {
    if (log >= 0) {
      posix_spawn_file_actions_adddup2(&plan.actions, log, stream);
    } else {
      posix_spawn_file_actions_addopen(&plan.actions, stream, "/dev/null", O_WRONLY, 0);
    }
  }
  posix_spawn_file_actions_adddup2(&plan.actions, ready, kReadyFd);
  posix_spawn_file_actions_addclosefrom_np(&plan.actions, kReadyFd + 1);
  posix_spawn_file_actions_addchdir_np(&plan.actions, "/");
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&plan.attributes, &none);
  posix_spawnattr_setsigdefault(&plan.attributes, &all);
  posix_spawnattr_setflags(&plan.attributes,
                           POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  const std::string ready_fd = std::to_string(kReadyFd);
  const char* argv[] = {program.c_str(), "--ready-fd", ready_fd.c_str(), nullptr};
  std::vector<std::string> environment = ServiceEnvironment(environ);
  // Its working directory is another one: a relative path would be another folder there.
  for (std::string& variable : environment)
    if (variable.starts_with("CAPSEM_HOME=") && variable != "CAPSEM_HOME=")
      variable = "CAPSEM_HOME=" + dir.state;
  std::vector<char*> envp;
  for (std::string& variable : environment) envp.push_back(variable.data());
  envp.push_back(nullptr);
  pid_t pid = -1;
  const int error = posix_spawn(&pid, program.c_str(), &plan.actions, &plan.attributes,
                                const_cast<char* const*>(argv), envp.data());
  if (error != 0) return ErrnoStatus(error, fmt::format("start {}", program));
  return pid;
}

// What the new service says until it has said that it is ready, or has closed the pipe.
std::string AwaitWord(int ready) {
  std::string said;
  char chunk[512];
  while (said != kReadyWord) {
    const ssize_t count = read(ready, chunk, sizeof chunk);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    said.append(chunk, static_cast<size_t>(count));
  }
  return said;
}

// The last line of the log, where a service that cannot start says why; "" when there is none.
std::string LastLine(const std::string& path) {
  constexpr std::streamoff kTail = 2048;
  std::ifstream log(path, std::ios::ate);
  log.seekg(std::max<std::streamoff>(0, log.tellg() - kTail));
  std::string line, last;
  while (std::getline(log, line)) {
    if (!line.empty()) last = line;
  }
  return last;
}

// Why it cannot serve, in its own words (capsem-service/ready_pipe.h); nullopt when it has none.
std::optional<Status> SaidWhy(const std::string& said, const RunDir& dir) {
  if (!said.starts_with(kFailedWord)) return std::nullopt;
  std::istringstream words(said.substr(kFailedWord.size()));
  std::string cause, remedy;
  std::getline(words, cause);
  std::getline(words, remedy);
  if (!remedy.empty()) remedy += "; ";
  return WithRemedy(Unavailable("capsem-service cannot start: {}", cause),
                    fmt::format("{}its log is {}", remedy, dir.ServiceLog()));
}

// The end of a service that did not get ready.
Status FailedStart(const RunDir& dir, pid_t pid, const std::string& said) {
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (auto why = SaidWhy(said, dir)) return *why;
  ExitReason reason;
  if (WIFSIGNALED(status)) {
    reason.signal = WTERMSIG(status);
  } else {
    reason.code = WEXITSTATUS(status);
  }
  return WithRemedy(Unavailable("capsem-service ended at its start with {}: {}", reason.ToString(),
                                LastLine(dir.ServiceLog())),
                    fmt::format("see its log, {}, and try again", dir.ServiceLog()));
}

}  // namespace

std::vector<std::string> ServiceEnvironment(char* const* environment) {
  std::vector<std::string> given;
  for (; *environment != nullptr; ++environment) {
    const std::string_view variable = *environment;
    const std::string_view name = variable.substr(0, variable.find('='));
    const bool ours =
        name.substr(0, 7) == "CAPSEM_" || name.substr(0, 3) == "LC_" || name == "LANG";
    if (ours || std::find(kGiven.begin(), kGiven.end(), name) != kGiven.end())
      given.emplace_back(variable);
  }
  return given;
}

bool ServiceRuns(const RunDir& dir) { return ConnectUnix(dir.ServiceSocket()).ok(); }

Status StartService(const RunDir& dir, const Installation& installation) {
  if (ServiceRuns(dir)) return OkStatus();
  TRY(dir.Make());
  const UniqueFd turn = TRY(TakeTurn(dir));
  if (ServiceRuns(dir)) return OkStatus();
  const UniqueFd log(
      open(dir.ServiceLog().c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return FromErrno("pipe");
  const UniqueFd read_end(ends[0]);
  UniqueFd write_end(ends[1]);
  const pid_t pid = TRY(SpawnService(installation.Service(), dir, log.get(), write_end.get()));
  write_end.Reset();
  const std::string said = AwaitWord(read_end.get());
  if (said == kReadyWord) return OkStatus();
  const Status failed = FailedStart(dir, pid, said);
  // Somebody else (systemd, `capsem service run`) may have been faster: ours has left then.
  return ServiceRuns(dir) ? OkStatus() : failed;
}

ServiceEnd::ServiceEnd(const RunDir& dir)
    : lock_(open(dir.ServiceLock().c_str(), O_RDWR | O_CLOEXEC)) {
  const StatusOr<UniqueFd> connection = ConnectUnix(dir.ServiceSocket());
  if (!connection.ok()) return;
  const StatusOr<PeerCredentials> peer = PeerOf(connection->get());
  if (peer.ok()) process_.Reset(static_cast<int>(syscall(SYS_pidfd_open, peer->pid, 0)));
}

void ServiceEnd::Await() {
  while (lock_.valid() && flock(lock_.get(), LOCK_EX) != 0 && errno == EINTR) {
  }
  // Whoever starts the next one shall not wait for us.
  lock_.Reset();
  pollfd process{process_.get(), POLLIN, 0};
  while (process_.valid() && poll(&process, 1, -1) < 0 && errno == EINTR) {
  }
}

}  // namespace capsem::cli
