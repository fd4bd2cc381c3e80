#include "config.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <charconv>

namespace capsem::process {
namespace {

constexpr int kLaunchSpecFd = 3;
constexpr int kReadyPipeFd = 4;
constexpr off_t kMaxLaunchSpec = 4 << 20;  // argv and env of one machine are far below

StatusOr<std::string> ReadAll(int fd) {
  struct stat about {};
  if (fstat(fd, &about) != 0) return FromErrno("the launch specification on descriptor {}", fd);
  if (about.st_size <= 0 || about.st_size > kMaxLaunchSpec) {
    return InvalidArgument("a launch specification of {} bytes", about.st_size);
  }
  std::string bytes(static_cast<size_t>(about.st_size), '\0');
  const ssize_t count = pread(fd, bytes.data(), bytes.size(), 0);
  if (count != about.st_size) return FromErrno("read the launch specification");
  return bytes;
}

StatusOr<pid_t> ParentOf(int argc, char** argv) {
  pid_t parent = 0;
  if (argc == 3 && std::string_view(argv[1]) == "--parent-pid") {
    const std::string_view text = argv[2];
    std::from_chars(text.data(), text.data() + text.size(), parent);
  }
  if (parent > 1) return parent;
  return WithRemedy(InvalidArgument("capsem-process is started by capsem-service, not by hand"),
                    "use `capsem create`");
}

// Takes an inherited descriptor over: it must not leak into QEMU on its own.
StatusOr<UniqueFd> TakeFd(int fd) {
  if (fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) return FromErrno("inherited descriptor {}", fd);
  return UniqueFd(fd);
}

}  // namespace

StatusOr<Config> Config::FromArguments(int argc, char** argv) {
  Config config;
  config.parent = TRY(ParentOf(argc, argv));
  const UniqueFd spec = TRY(TakeFd(kLaunchSpecFd));
  if (!config.launch.ParseFromString(TRY(ReadAll(spec.get())))) {
    return InvalidArgument("the launch specification is malformed");
  }
  config.ready_pipe = TRY(TakeFd(kReadyPipeFd));
  for (const auto& hole : config.launch.holes()) {
    if (hole.kind() != capsem::process::v1::LaunchSpec::Hole::KIND_FILE) continue;
    config.files[hole.name()] = TRY(TakeFd(static_cast<int>(hole.inherited_fd())));
  }
  return config;
}

}  // namespace capsem::process
