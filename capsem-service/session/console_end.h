// What the console of a session's machine said last: for whoever asks why it failed. Blocking: for
// a pool thread.
#pragma once

#include <string>

namespace capsem::service {

inline constexpr size_t kConsoleEndBytes = 4096;  // fifty lines of 80 columns: a kernel's oops fits

// From the session's folder; a guest wrote it, so whatever is no printable ASCII, tab or line feed
// is a question mark. "" when there is none.
std::string ConsoleEnd(const std::string& session_dir);

}  // namespace capsem::service
