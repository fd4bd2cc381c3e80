// An agent for one test on real machines: it serves a file system at /run/served from its own loop,
// and commands are started from there. Built beside the real one, never shipped.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "run_machine.h"
#include "testing/served_folder.h"

namespace capsem::agent {
namespace {

Status LoadFuse() {
  utsname kernel{};
  uname(&kernel);
  const std::string path = fmt::format("/lib/modules/{}/kernel/fs/fuse/fuse.ko", kernel.release);
  const UniqueFd module(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!module.valid()) return FromErrno("open {}", path);
  if (syscall(SYS_finit_module, module.get(), "", 0) != 0 && errno != EEXIST)
    return FromErrno("load {}", path);
  return OkStatus();
}

std::unique_ptr<ServedFolder> served;

Status Serve(Loop& loop) {
  TRY(LoadFuse());
  const std::string path = "/run/served";
  if (mkdir(path.c_str(), 0755) != 0) return FromErrno("make {}", path);
  served = TRY(ServedFolder::Mount(loop, path, TRY(ServedPrograms(path))));
  return OkStatus();
}

}  // namespace
}  // namespace capsem::agent

int main() { return capsem::agent::RunMachine(capsem::agent::Serve); }
