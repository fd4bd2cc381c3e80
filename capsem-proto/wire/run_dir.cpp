#include "wire/run_dir.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

namespace capsem {
namespace {

// <state>/sessions/<12 characters>/process.sock is 35 bytes longer, and a socket path holds 107.
constexpr size_t kMaxStatePath = 70;
constexpr char kOtherFolder[] = "set CAPSEM_HOME to a folder that you may write to";

// "" for what is not set; XDG says that relative paths are to be ignored.
std::string AbsoluteFromEnvironment(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr && value[0] == '/' ? value : "";
}

Status MakeFolder(const std::string& path) {
  if (mkdir(path.c_str(), 0700) == 0) return OkStatus();
  const Status failed = FromErrno("make the folder {}", path);
  struct stat found {};
  if (stat(path.c_str(), &found) != 0) return WithRemedy(failed, kOtherFolder);
  if (!S_ISDIR(found.st_mode)) {
    return WithRemedy(FailedPrecondition("{} is not a folder", path), kOtherFolder);
  }
  return OkStatus();
}

// Nobody else may be able to put files where we trust them.
Status CheckOurs(const std::string& path) {
  struct stat found {};
  if (stat(path.c_str(), &found) != 0) return FromErrno("look at the folder {}", path);
  if (found.st_uid != geteuid()) {
    return WithRemedy(PermissionDenied("the folder {} belongs to another user", path),
                      kOtherFolder);
  }
  if ((found.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return WithRemedy(PermissionDenied("others may write to the folder {}", path),
                      fmt::format("run `chmod go-w {}`", path));
  }
  return OkStatus();
}

Status MakeWithParents(const std::string& path) {
  for (size_t slash = path.find('/', 1); slash != std::string::npos;
       slash = path.find('/', slash + 1)) {
    TRY(MakeFolder(path.substr(0, slash)));
  }
  TRY(MakeFolder(path));
  return CheckOurs(path);
}

StatusOr<RunDir> Checked(RunDir dir) {
  if (dir.state.size() <= kMaxStatePath) return dir;
  return WithRemedy(InvalidArgument("the path of the state folder {} is too long for the sockets "
                                    "below it: {} bytes where {} are the most",
                                    dir.state, dir.state.size(), kMaxStatePath),
                    "set CAPSEM_HOME to a folder with a shorter path");
}

}  // namespace

StatusOr<RunDir> RunDir::FromEnvironment() {
  const char* capsem_home = std::getenv("CAPSEM_HOME");
  if (capsem_home != nullptr && capsem_home[0] != '\0') {
    std::error_code failed;
    std::filesystem::path path = std::filesystem::absolute(capsem_home, failed).lexically_normal();
    if (failed) return ErrnoStatus(failed.value(), "find the working directory for CAPSEM_HOME");
    if (!path.has_filename()) path = path.parent_path();
    return Checked({path, path, path / "run"});
  }
  const std::string home = AbsoluteFromEnvironment("HOME");
  if (home.empty()) {
    return WithRemedy(FailedPrecondition("neither CAPSEM_HOME nor HOME is set"), kOtherFolder);
  }
  const std::string state = AbsoluteFromEnvironment("XDG_STATE_HOME");
  const std::string config = AbsoluteFromEnvironment("XDG_CONFIG_HOME");
  const std::string runtime = AbsoluteFromEnvironment("XDG_RUNTIME_DIR");
  RunDir dir;
  dir.state = (state.empty() ? home + "/.local/state" : state) + "/capsem";
  dir.config = (config.empty() ? home + "/.config" : config) + "/capsem";
  dir.runtime = runtime.empty() ? dir.state + "/run" : runtime + "/capsem";
  return Checked(std::move(dir));
}

Status RunDir::Make() const {
  for (const std::string& path : {state, runtime, Images(), Keys(), Cache(), Sessions()}) {
    TRY(MakeWithParents(path));
  }
  return OkStatus();
}

}  // namespace capsem
