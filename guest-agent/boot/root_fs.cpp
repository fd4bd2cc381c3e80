// Platform: overlay; elsewhere: the machine powers off and says so.
// Platform: erofs; elsewhere: the machine powers off and says so.
// Platform: cgroup2; elsewhere: the machine powers off and says so.
// The initramfs is the kernel's rootfs, which can be neither unmounted nor pivoted: the new root is
// moved over it, and the agent, whose pages stay in memory, goes on in it. The two disks remain
// mounted under the old root, where only the agent's descriptors reach.
#include "boot/root_fs.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <memory>

namespace capsem::agent {
namespace {

struct Mount {
  const char* type;
  const char* target;
  unsigned long flags;
  const char* options;
};

Status MakeFolder(const std::string& path, mode_t mode) {
  if (mkdir(path.c_str(), mode) != 0 && errno != EEXIST) return FromErrno("make {}", path);
  return OkStatus();
}

// The folder is made only when it is missing: on the overlay that would be a write to the disk.
Status MountAt(const Mount& wanted) {
  if (mount(wanted.type, wanted.target, wanted.type, wanted.flags, wanted.options) == 0)
    return OkStatus();
  if (errno != ENOENT) return FromErrno("mount {}", wanted.target);
  TRY(MakeFolder(wanted.target, 0755));
  if (mount(wanted.type, wanted.target, wanted.type, wanted.flags, wanted.options) != 0)
    return FromErrno("mount {}", wanted.target);
  return OkStatus();
}

Status MountOverlay(const std::string& image, const std::string& disk) {
  for (const char* folder : {"/lower", "/disk", "/newroot"}) TRY(MakeFolder(folder, 0755));
  if (mount(("/dev/" + image).c_str(), "/lower", "erofs", MS_RDONLY | MS_NODEV, nullptr) != 0)
    return FromErrno("mount the image's root file system");
  if (mount(("/dev/" + disk).c_str(), "/disk", "ext4", MS_NOATIME, nullptr) != 0)
    return FromErrno("mount the session's disk");
  TRY(MakeFolder("/disk/upper", 0755));
  TRY(MakeFolder("/disk/work", 0755));
  if (mount("overlay", "/newroot", "overlay", MS_NOATIME,
            "lowerdir=/lower,upperdir=/disk/upper,workdir=/disk/work") != 0)
    return FromErrno("mount the root overlay");
  return OkStatus();
}

// Our programs come from the image itself, past the overlay: no copy in the upper layer can take
// their place, and EROFS on a read-only disk refuses a remount.
Status BindOurPrograms() {
  const char* source = "/lower/opt/capsem";
  const char* target = "/newroot/opt/capsem";
  if (access(source, F_OK) != 0) return OkStatus();  // an image that brings none
  if (mount(source, target, nullptr, MS_BIND, nullptr) != 0) return FromErrno("bind {}", target);
  const unsigned long flags = MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV;
  if (mount(nullptr, target, nullptr, flags, nullptr) != 0) return FromErrno("protect {}", target);
  return OkStatus();
}

// Memory that nobody needs any more: modules, and the agent's own file, whose pages stay for as
// long as it runs. Plain files only, and nothing below a mount point.
void FreeInitramfs(int old_root) {
  for (const char* name : {"modules", "."}) {
    const int folder = openat(old_root, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) continue;
    const std::unique_ptr<DIR, int (*)(DIR*)> entries(fdopendir(folder), closedir);
    if (!entries) continue;
    while (const dirent* entry = readdir(entries.get())) {
      if (entry->d_type == DT_REG) unlinkat(folder, entry->d_name, 0);
    }
  }
}

}  // namespace

Status MountKernelFileSystems() {
  const Mount mounts[] = {
      {"proc", "/proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr},
      {"sysfs", "/sys", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr},
      {"devtmpfs", "/dev", MS_NOSUID, "mode=0755"},
  };
  for (const Mount& wanted : mounts) TRY(MountAt(wanted));
  return OkStatus();
}

StatusOr<UniqueFd> EnterRoot(const std::string& image, const std::string& disk) {
  TRY(MountOverlay(image, disk));
  TRY(BindOurPrograms());
  UniqueFd disk_root(open("/disk", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!disk_root.valid()) return FromErrno("open the session's disk");
  const UniqueFd old_root(open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  for (const std::string name : {"/proc", "/sys", "/dev"}) {
    if (mount(name.c_str(), ("/newroot" + name).c_str(), nullptr, MS_MOVE, nullptr) != 0)
      return FromErrno("move {}", name);
  }
  if (chdir("/newroot") != 0 || mount(".", "/", nullptr, MS_MOVE, nullptr) != 0 ||
      chroot(".") != 0 || chdir("/") != 0) {
    return FromErrno("enter the new root");
  }
  FreeInitramfs(old_root.get());
  return disk_root;
}

Status MountUserFileSystems() {
  constexpr unsigned long kSafe = MS_NOSUID | MS_NODEV;
  const Mount mounts[] = {
      {"devpts", "/dev/pts", MS_NOSUID | MS_NOEXEC, "gid=5,mode=620,ptmxmode=666"},
      {"tmpfs", "/dev/shm", kSafe, "mode=1777"},
      {"tmpfs", "/run", kSafe, "mode=755"},
      {"tmpfs", "/tmp", kSafe, "mode=1777"},
      {"cgroup2", "/sys/fs/cgroup", kSafe | MS_NOEXEC, nullptr},
  };
  for (const Mount& wanted : mounts) TRY(MountAt(wanted));
  // devtmpfs has devices only; shells and scripts count on these.
  const char* const links[][2] = {{"/proc/self/fd", "/dev/fd"},
                                  {"/proc/self/fd/0", "/dev/stdin"},
                                  {"/proc/self/fd/1", "/dev/stdout"},
                                  {"/proc/self/fd/2", "/dev/stderr"}};
  for (const auto& [target, name] : links) {
    if (symlink(target, name) != 0 && errno != EEXIST) return FromErrno("link {}", name);
  }
  return MakeFolder("/workspace", 0755);
}

}  // namespace capsem::agent
