// The files of a session that says whatever a test has it say, for the flows of cp.
#pragma once

#include <unistd.h>

#include <map>

#include "guest_files.h"

namespace capsem::cli {

class FakeGuestFiles final : public GuestFiles {
 public:
  struct File {
    v1::FileInfo info;
    std::string data;
    std::vector<v1::FileEntry> entries;
  };
  std::map<std::string, File> files;
  size_t breaks_after = SIZE_MAX;  // bytes of a read

  File& Put(const std::string& path, v1::FileType type, uint32_t mode = 0644,
            const std::string& data = {}) {
    File& file = files[path];
    file.info.set_type(type);
    file.info.set_mode(mode);
    file.data = data;
    return file;
  }
  File& Folder(const std::string& path, uint32_t mode = 0755) {
    return Put(path, v1::FILE_TYPE_FOLDER, mode);
  }
  // Lists this name in that folder, whatever it is.
  v1::FileInfo& List(const std::string& folder, const std::string& name, v1::FileType type,
                     uint32_t mode = 0644) {
    auto& entry = files[folder].entries.emplace_back();
    entry.set_name(name);
    entry.mutable_info()->set_type(type);
    entry.mutable_info()->set_mode(mode);
    return *entry.mutable_info();
  }

  StatusOr<v1::FileInfo> Stat(const std::string& path) override {
    if (!files.contains(path)) return NotFound("no {}", path);
    return files[path].info;
  }
  Status Read(const std::string& path, const OnInfo& on_info, const OnData& on_data) override {
    if (!files.contains(path)) return NotFound("no {}", path);
    TRY(on_info(files[path].info));
    TRY(on_data(files[path].data.substr(0, breaks_after)));
    return files[path].data.size() > breaks_after ? Unavailable("broken") : OkStatus();
  }
  Status Write(const std::string& path, std::optional<uint32_t> mode, int fd,
               const OnSent& on_sent) override {
    std::string data;
    char chunk[4096];
    for (ssize_t count; (count = read(fd, chunk, sizeof chunk)) > 0;)
      data.append(chunk, static_cast<size_t>(count));
    on_sent(data.size());
    Put(path, v1::FILE_TYPE_FILE, mode.value_or(0644), data);
    return OkStatus();
  }
  StatusOr<std::vector<v1::FileEntry>> List(const std::string& path) override {
    if (!files.contains(path)) return NotFound("no {}", path);
    return files[path].entries;
  }
  Status Mkdir(const std::string& path, uint32_t mode) override {
    if (files.contains(path)) return AlreadyExists("{} is there", path);
    Folder(path, mode);
    return OkStatus();
  }
  Status Symlink(const std::string& path, const std::string& target) override {
    Put(path, v1::FILE_TYPE_SYMLINK).info.set_link_target(target);
    return OkStatus();
  }
};

}  // namespace capsem::cli
