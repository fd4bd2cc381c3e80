// What becomes of this program when its stdout or stderr takes nothing more. One error for all
// verbs, and for a reader that has left the end that every Unix program has: by SIGPIPE, silently.
#pragma once

#include <string_view>

#include "base/status.h"

namespace capsem::cli {

// Remembers whether our caller ignores SIGPIPE (nohup, a service manager). Called once, before any
// library ignores it for itself.
void NoteSigpipe();

// The error of a write to `stream` ("stdout") that has failed with `error`.
Status LostOutput(std::string_view stream, int error);

// Ends this program by SIGPIPE when `status` says that a reader has left, unless our caller ignores
// that signal: then it is an error like another.
void EndIfReaderLeft(const Status& status);

}  // namespace capsem::cli
