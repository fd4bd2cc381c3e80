#include "session/console_end.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "base/unique_fd.h"
#include "wire/run_dir.h"

namespace capsem::service {
namespace {

std::string EndOf(const std::string& path, size_t count) {
  const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  struct stat info {};
  if (!fd.valid() || fstat(fd.get(), &info) != 0) return {};
  std::string bytes(std::min(count, static_cast<size_t>(info.st_size)), '\0');
  const off_t start = info.st_size - static_cast<off_t>(bytes.size());
  const ssize_t got = pread(fd.get(), bytes.data(), bytes.size(), start);
  bytes.resize(got < 0 ? 0 : static_cast<size_t>(got));
  return bytes;
}

bool IsPlain(char c) { return c == '\n' || c == '\t' || (c >= ' ' && c <= '~'); }

}  // namespace

std::string ConsoleEnd(const std::string& session_dir) {
  std::string text = EndOf(session_dir + "/" + session_file::kSerialLog, kConsoleEndBytes);
  // The log may have gone on in a new file a moment before.
  if (text.size() < kConsoleEndBytes) {
    text.insert(
        0, EndOf(session_dir + "/" + session_file::kSerialLogOld, kConsoleEndBytes - text.size()));
  }
  std::erase(text, '\r');
  std::replace_if(
      text.begin(), text.end(), [](char c) { return !IsPlain(c); }, '?');
  return text;
}

}  // namespace capsem::service
