// An errno of a system call on a user's file, as the sentence that whoever asked reads.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"

namespace capsem::agent {

// `path` may hold any bytes: what is no printable ASCII is shown as \xNN.
std::string ShowPath(std::string_view path);
// NotFound, AlreadyExists, FailedPrecondition, PermissionDenied, ResourceExhausted,
// InvalidArgument; Internal for what should not happen. With what helps.
Status FileError(int error, std::string_view path);

}  // namespace capsem::agent
