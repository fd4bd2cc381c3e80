// Puts the confinement of a machine on itself, by the product's own code, and tries what is
// forbidden.
//
//   confined_probe free|process|qemu ABI key=value…
//
// `free` = without, each probe in a process of its own; `process` = as capsem-process, from a
// second thread; `qemu` = as its QEMU, spawned as that is; ABI = the highest version of Landlock to
// use. The answers are lines in the file `answers` in the session's folder: a probe's errno (0 = it
// worked, -1 = it needs root to tell), a tab and its name.
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <thread>

#include "base/log.h"
#include "base/loop.h"
#include "base/unix_socket.h"
#include "confine/confine.h"
#include "confine/syscall_filter.h"
#include "confined_probes.h"
#include "machine/qemu_child.h"

namespace capsem::process {
namespace {

using Values = std::map<std::string, std::string>;

// Descriptors among the values.
const char* const kUnix[] = {"unix0", "unix1", "unix2", "unix3"};
const char* const kTcp[] = {"tcp0", "tcp1", "tcp2"};
constexpr char kForeign[] = "foreign_listener";

ProbeTargets TargetsOf(Values values) {
  const auto number = [&](const char* name) { return std::atoi(values[name].c_str()); };
  ProbeTargets targets{.home = values["home"],
                       .sessions = values["sessions"],
                       .other = values["other"],
                       .service_socket = values["service_socket"],
                       .bus_socket = values["bus_socket"],
                       .abstract_name = values["abstract_name"],
                       .tcp_port = number("tcp_port"),
                       .victim = number("victim"),
                       .own_folder = values["own_folder"],
                       .unix_sockets = {},
                       .tcp_sockets = {},
                       .foreign_listener = number(kForeign)};
  std::ranges::transform(kUnix, targets.unix_sockets.begin(), number);
  std::ranges::transform(kTcp, targets.tcp_sockets.begin(), number);
  return targets;
}

// In a process of its own, which some probes replace or hand over to somebody.
int InChild(const Probe& probe) {
  if (probe.needs_root && geteuid() != 0) return -1;
  const pid_t pid = fork();
  if (pid == 0) _exit(probe.attempt());
  int status = 0;
  if (pid < 0 || waitpid(pid, &status, 0) != pid) return errno;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

void RunAll(const ProbeTargets& targets, bool free) {
  std::vector<Probe> probes = NeededProbes(targets);
  for (Probe& probe : ForbiddenProbes(targets)) probes.push_back(std::move(probe));
  std::FILE* answers = std::fopen((targets.own_folder + "/answers").c_str(), "we");
  if (answers == nullptr) return;
  for (const Probe& probe : probes) {
    const int answer = free ? InChild(probe) : probe.attempt();
    std::fprintf(answers, "%d\t%s\n", answer, probe.name.c_str());
    std::fflush(answers);
  }
  std::fclose(answers);
}

// What a program may have from before it was confined: sockets that go nowhere yet, and somebody
// else's listener.
Status MakeSockets(Values& values) {
  for (const char* name : kUnix)
    values[name] = std::to_string(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  for (const char* name : kTcp)
    values[name] = std::to_string(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const std::string path = values["own_folder"] + "/foreign.sock";
  UniqueFd listener = TRY(ListenUnix(path));
  // Somebody waits there, so that an accept that is allowed has something to accept.
  static UniqueFd client = TRY(ConnectUnix(path));
  values[kForeign] = std::to_string(listener.Release());
  return OkStatus();
}

Status RunAsProcess(const Values& values) {
  const ProbeTargets targets = TargetsOf(values);
  const std::string path = targets.own_folder + "/process.sock";
  const UniqueFd listener = TRY(ListenUnix(path));
  const UniqueFd client = TRY(ConnectUnix(path));
  // A thread that is there before the filter, as gRPC's are.
  int go[2];
  if (pipe2(go, O_CLOEXEC) != 0) return FromErrno("pipe");
  std::thread other([&] {
    char word;
    if (read(go[0], &word, 1) == 1) RunAll(targets, false);
  });
  const Status confined = ConfineSelf(listener.get(), 0);
  if (confined.ok() && accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC) >= 0) {
    [[maybe_unused]] const ssize_t told = write(go[1], "x", 1);
  }
  close(go[1]);
  other.join();
  return confined;
}

Status RunAsQemu(Values values, const char* program) {
  QemuChildSpec spec;
  const auto hand_over = [&](const char* name) {
    spec.files[name].Reset(std::atoi(values[name].c_str()));
    values[name] = fmt::format("{{fd:{}}}", name);
  };
  std::ranges::for_each(kUnix, hand_over);
  std::ranges::for_each(kTcp, hand_over);
  hand_over(kForeign);
  spec.argv = {program, "confined", "0"};
  for (const auto& [name, value] : values) spec.argv.push_back(name + "=" + value);
  spec.cwd = values["own_folder"];
  spec.filter = TRY(QemuFilter());
  Loop loop;
  const auto child = TRY(QemuChild::Spawn(loop, std::move(spec), [&](ExitReason) { loop.Stop(); }));
  loop.Run();
  return OkStatus();
}

Status Run(const std::string& mode, int abi, Values values, const char* program) {
  if (mode == "confined") {  // the stand-in for QEMU, as it starts
    RunAll(TargetsOf(values), false);
    return OkStatus();
  }
  TRY(MakeSockets(values));
  if (mode == "free") {
    RunAll(TargetsOf(values), true);
    return OkStatus();
  }
  const int got = TRY(ConfineBoth({.session_folder = values["own_folder"],
                                   .qemu = program,
                                   .kvm = false,
                                   .image_files = {},
                                   .max_landlock_abi = abi}));
  std::printf("%d\n", got);
  return mode == "qemu" ? RunAsQemu(std::move(values), program) : RunAsProcess(values);
}

}  // namespace
}  // namespace capsem::process

int main(int argc, char** argv) {
  using namespace capsem::process;
  if (argc == 2 && std::string_view(argv[1]) == "counts") {
    std::printf("%zu %zu\n", AllowedCalls(Confined::kProcess), AllowedCalls(Confined::kQemu));
    return 0;
  }
  if (argc == 1) return 0;  // executed by a probe
  if (argc < 3) return 2;
  Values values;
  for (int index = 3; index < argc; ++index) {
    const std::string word = argv[index];
    const size_t equals = word.find('=');
    values[word.substr(0, equals)] = word.substr(equals + 1);
  }
  const capsem::Status status = Run(argv[1], std::atoi(argv[2]), std::move(values), argv[0]);
  if (status.ok()) return 0;
  std::fprintf(stderr, "%s\n", capsem::Describe(status).c_str());
  return 1;
}
