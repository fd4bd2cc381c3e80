#include "boot/kernel_modules.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/unique_fd.h"
#include "boot/kernel_file.h"

namespace capsem::agent {

StatusOr<std::vector<std::string>> ParseLoadOrder(std::string_view text) {
  std::vector<std::string> names;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line.empty() || line.starts_with('#')) continue;
    if (line.find('/') != std::string_view::npos)
      return InvalidArgument("load.order names {}, which is not a file beside it", line);
    names.emplace_back(line);
  }
  return names;
}

Status LoadKernelModules(const std::string& folder) {
  const std::string text = TRY(ReadKernelFile(AT_FDCWD, folder + "/load.order"));
  for (const std::string& name : TRY(ParseLoadOrder(text))) {
    const UniqueFd module(open((folder + "/" + name).c_str(), O_RDONLY | O_CLOEXEC));
    if (!module.valid()) return FromErrno("open module {}", name);
    // ENODEV: of another processor or another machine; what is missing then shows where it is
    // needed.
    if (syscall(SYS_finit_module, module.get(), "", 0) != 0 && errno != EEXIST && errno != ENODEV)
      return FromErrno("load module {}", name);
  }
  return OkStatus();
}

}  // namespace capsem::agent
