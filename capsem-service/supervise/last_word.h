// What a capsem-process has left in its session's folder before it went (process.proto), for a
// service that is not its parent and cannot ask how it ended. Blocking, a small file.
#pragma once

#include <optional>
#include <string>

namespace capsem::service {

struct LastWord {
  std::string reason;    // a sentence
  bool clean = false;    // its machine powered off, as asked or by itself
  bool restart = false;  // its guest wants to begin anew

  bool operator==(const LastWord&) const = default;
};

// nullopt: there is none, so it was killed.
std::optional<LastWord> ReadLastWord(const std::string& session_dir);

// Of the machine before, when another is to be started there.
void ForgetLastWord(const std::string& session_dir);

}  // namespace capsem::service
