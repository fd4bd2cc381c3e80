#include "boot/kernel_file.h"

#include <fcntl.h>
#include <unistd.h>

namespace capsem::agent {
namespace {

constexpr size_t kMaxFile = 64 * 1024;

}  // namespace

StatusOr<std::string> ReadKernelFile(int directory, const std::string& path) {
  UniqueFd fd(openat(directory, path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return FromErrno("open {}", path);
  std::string text;
  char chunk[4096];
  while (text.size() < kMaxFile) {
    const ssize_t count = read(fd.get(), chunk, sizeof chunk);
    if (count < 0) return FromErrno("read {}", path);
    if (count == 0) break;
    text.append(chunk, static_cast<size_t>(count));
  }
  if (text.ends_with('\n')) text.pop_back();
  return text;
}

Status WriteKernelFile(int directory, const std::string& path, std::string_view text) {
  UniqueFd fd(openat(directory, path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!fd.valid()) return FromErrno("open {}", path);
  if (write(fd.get(), text.data(), text.size()) < 0) return FromErrno("write {} to {}", text, path);
  return OkStatus();
}

}  // namespace capsem::agent
