// What the service does with cgroups, on a kernel where that can be tried for real: the guest's.
// Started in the folder that is delegated to it, it says what MachineGroups says.
//
//   cgroup_probe run SESSION CPUS MEMORY_MIB SCRIPT    runs it as a machine; its end, and removes
//   cgroup_probe leave SESSION CPUS MEMORY_MIB SCRIPT  lets it go on: says its pid, and removes not
//   cgroup_probe adopt SESSION CPUS MEMORY_MIB PID     as the next service, which ends at once
//   cgroup_probe lift
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "base/child.h"
#include "base/loop.h"
#include "supervise/machine_groups.h"

namespace capsem::service {
namespace {

void Say(const char* what, const std::string& text) {
  std::printf("%s: %s\n", what, text.c_str());
  std::fflush(stdout);
}

StatusOr<std::unique_ptr<Child>> Start(Loop& loop, const MachineGroup& group,
                                       const std::string& script) {
  ChildSpec spec;
  spec.program = "/bin/sh";
  spec.args = {"-c", script};
  spec.env = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin"};
  spec.new_session = true;
  spec.stdout_fd = STDOUT_FILENO;
  spec.stderr_fd = STDERR_FILENO;
  spec.group_fd = group.fd();
  auto child = TRY(Child::Spawn(loop, std::move(spec), [&loop](ExitReason reason) {
    Say("ended", reason.ToString());
    loop.Stop();
  }));
  TRY(child->group_refusal());
  return child;
}

Status Run(const std::string& verb, const std::vector<std::string>& words) {
  if (verb == "lift") return LiftLimits();
  if (words.size() != 4) return InvalidArgument("{} takes four words", verb);
  const MachineSize size{words[0], static_cast<uint32_t>(std::stoul(words[1])),
                         static_cast<uint32_t>(std::stoul(words[2]))};
  Loop loop;
  MachineGroups groups;
  Say("groups", groups.text());
  const auto group = verb == "adopt" ? groups.Adopt(std::stoi(words[3]), size) : groups.Make(size);
  Say("group", group->text());
  if (verb == "adopt") return OkStatus();
  const auto child = TRY(Start(loop, *group, words[3]));
  if (verb == "leave") {
    Say("pid", std::to_string(child->pid()));
    group->Leave();
    child->Release();
    return OkStatus();
  }
  loop.Run();
  return OkStatus();
}

}  // namespace
}  // namespace capsem::service

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + std::min(argc, 2), argv + argc);
  const auto done = capsem::service::Run(argc > 1 ? argv[1] : "", words);
  if (!done.ok()) std::fprintf(stderr, "cgroup_probe: %s\n", capsem::Describe(done).c_str());
  return done.ok() ? 0 : 1;
}
