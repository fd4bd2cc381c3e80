#include "supervise/last_word.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/small_file.h"
#include "capsem/process/v1/process.pb.h"
#include "wire/run_dir.h"

namespace capsem::service {
namespace {

// A reason quotes at most the end of a console (4 KiB, machine/text_tail).
constexpr size_t kMaxBytes = 64 * 1024;

std::string PathIn(const std::string& session_dir) {
  return session_dir + "/" + session_file::kLastWord;
}

}  // namespace

std::optional<LastWord> ReadLastWord(const std::string& session_dir) {
  const auto bytes = ReadSmallFile(AT_FDCWD, PathIn(session_dir), kMaxBytes);
  capsem::process::v1::LastWord word;
  if (!bytes.ok() || !word.ParseFromString(*bytes) || word.reason().empty()) return std::nullopt;
  return LastWord{word.reason(), word.clean(), word.clean() && word.restart()};
}

void ForgetLastWord(const std::string& session_dir) { unlink(PathIn(session_dir).c_str()); }

}  // namespace capsem::service
