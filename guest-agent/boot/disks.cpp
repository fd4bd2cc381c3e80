#include "boot/disks.h"

#include <dirent.h>
#include <fcntl.h>

#include <memory>

#include "boot/kernel_file.h"

namespace capsem::agent {
namespace {

// Far above what a probe takes even under emulation on a busy host; a disk that was never plugged
// must end the boot with a word.
constexpr std::chrono::seconds kDiskLimit{20};

}  // namespace

StatusOr<std::string> FindDisk(const std::string& block_folder, const std::string& serial) {
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(opendir(block_folder.c_str()), closedir);
  if (!folder) return FromErrno("open {}", block_folder);
  while (const dirent* entry = readdir(folder.get())) {
    const std::string name = entry->d_name;
    if (!name.starts_with("vd")) continue;
    const auto found = ReadKernelFile(AT_FDCWD, block_folder + "/" + name + "/serial");
    if (found.ok() && *found == serial) return name;
  }
  return NotFound("no disk with the serial {}", serial);
}

StatusOr<std::string> AwaitDisk(Uevents& uevents, const std::string& serial) {
  for (;;) {
    auto name = FindDisk("/sys/block", serial);
    if (name.ok()) return name;
    const Status news = uevents.Wait(kDiskLimit);
    if (!news.ok()) return name.status();
    while (uevents.Next().ok()) {
    }
  }
}

}  // namespace capsem::agent
