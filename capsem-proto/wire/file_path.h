// What a path into a session's machine may look like (capsem/v1/files.proto): the same for who
// asks, who passes it on, and who walks it. Pure.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"

namespace capsem::wire {

// One name of a folder's entry: 1 to kMaxNameBytes, no slash, no NUL, neither `.` nor `..`.
bool IsFileName(std::string_view name);

struct FilePath {
  std::string folder;  // absolute: "/workspace/src"
  std::string name;    // in it; "" = the path is "/"
  // All of it.
  std::string text() const { return folder == "/" ? folder + name : folder + "/" + name; }
};
// Relative ones are below /workspace; empty names and `.` fall away. InvalidArgument: it has no or
// too many bytes, a NUL, a name that is too long, or `..`.
StatusOr<FilePath> ParseFilePath(std::string_view path);

}  // namespace capsem::wire
