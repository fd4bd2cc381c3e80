// cgroup v2 as the kernel shows it to a process: which folder it is in, and which one was delegated
// to it, that is, marked by systemd as one that the process may divide. Loop thread.
#pragma once

#include <functional>
#include <set>
#include <string>
#include <string_view>

#include "base/status.h"

namespace capsem::service {

// What is read and done there. In tests a recorded tree takes the kernel's place, and refuses what
// the kernel may refuse.
struct CgroupFiles {
  CgroupFiles();

  std::string proc = "/proc";
  // Does the folder carry systemd's mark (user.delegate or trusted.delegate)?
  std::function<bool(const std::string& folder)> marked;
  // Of a control file. One write call: what the kernel refuses is the error.
  std::function<Status(const std::string& file, std::string_view text)> write;
  // AlreadyExists; NotFound.
  std::function<Status(const std::string& folder)> make;
  // FailedPrecondition: somebody lives in it.
  std::function<Status(const std::string& folder)> remove;
};

// At most 64 KiB, without the newline at its end.
StatusOr<std::string> ReadControlFile(const std::string& file);

// What can be limited in that folder.
StatusOr<std::set<std::string>> ControllersOf(const std::string& folder);

// The folder of a process in the tree of cgroup v2: `pid` is a number, or "self".
StatusOr<std::string> GroupOf(const CgroupFiles& files, const std::string& pid);

// The name of the folder that a service moves into, below the one that it divides: processes and
// limits of groups below do not go together in one folder. `DelegateSubgroup=service` of a unit
// does the same.
inline constexpr const char* kServiceGroup = "service";

// The folder that was delegated to this process. FailedPrecondition, with what helps: there is
// none.
StatusOr<std::string> DelegatedFolder(const CgroupFiles& files);

}  // namespace capsem::service
