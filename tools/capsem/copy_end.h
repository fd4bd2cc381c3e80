// What the two words of cp name: a file of a session, one of this host, or a standard stream. Pure.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"

namespace capsem::cli {

struct CopyEnd {
  enum class Kind { kHost, kGuest, kStream };
  Kind kind = Kind::kHost;
  std::string session;  // of a guest's
  std::string path;
};

// "SESSION:PATH", where what stands before the colon could be an id or a name; "-"; else a path of
// this host, as is whatever begins with / or a dot.
CopyEnd ParseCopyEnd(std::string_view word);

struct CopyPlan {
  CopyEnd from, to;
};
// InvalidArgument: not exactly one of them is in a session.
StatusOr<CopyPlan> PlanCopy(std::string_view from, std::string_view to);

// The last name of a path; "" when it means what a folder holds: `.`, `dir/.` and `/`.
std::string BaseName(std::string_view path);
std::string Join(std::string_view folder, std::string_view name);

}  // namespace capsem::cli
