#include "base/small_file.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>

#include "base/unique_fd.h"

namespace capsem {
namespace {

// Between a file's name and what makes the name of its next version unique.
constexpr const char* kUnfinished = ".new-";

Status WriteAll(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return FromErrno("write");
    text.remove_prefix(static_cast<size_t>(written));
  }
  return OkStatus();
}

}  // namespace

StatusOr<std::string> ReadSmallFile(int folder, const std::string& name, size_t max_bytes) {
  // NONBLOCK: a fifo in the file's place must not make us wait for a writer.
  const UniqueFd fd(openat(folder, name.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!fd.valid()) return FromErrno("open {}", name);
  struct stat found {};
  if (fstat(fd.get(), &found) != 0) return FromErrno("look at {}", name);
  if (!S_ISREG(found.st_mode)) return DataLoss("{} is not a file", name);
  if (static_cast<uint64_t>(found.st_size) > max_bytes) {
    return DataLoss("{} has {} bytes, and {} are the most", name, found.st_size, max_bytes);
  }
  std::string text(static_cast<size_t>(found.st_size), '\0');
  size_t size = 0;
  while (size < text.size()) {
    const ssize_t got = read(fd.get(), text.data() + size, text.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return FromErrno("read {}", name);
    if (got == 0) break;
    size += static_cast<size_t>(got);
  }
  text.resize(size);
  return text;
}

Status WriteSmallFile(const std::string& path, std::string_view text) {
  std::string temporary = path + kUnfinished + "XXXXXX";
  const UniqueFd fd(mkostemp(temporary.data(), O_CLOEXEC));
  if (!fd.valid()) return FromErrno("make a file beside {}", path);
  Status status = WriteAll(fd.get(), text);
  if (status.ok() && fdatasync(fd.get()) != 0) status = FromErrno("write {}", path);
  if (status.ok() && rename(temporary.c_str(), path.c_str()) != 0) {
    status = FromErrno("replace {}", path);
  }
  if (!status.ok()) unlink(temporary.c_str());
  return status;
}

void RemoveUnfinishedIn(const std::string& folder) {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename();
    const size_t mark = name.rfind(kUnfinished);
    if (mark != std::string::npos && mark + std::strlen(kUnfinished) + 6 == name.size())
      unlink(entry.path().c_str());
  }
}

}  // namespace capsem
