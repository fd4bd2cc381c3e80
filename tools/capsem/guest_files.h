// The files of one session, as the flows of cp see them: the service's, or a test's. Each call is
// answered before it returns. Paths and names are bytes.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "capsem/v1/files.pb.h"

namespace capsem::cli {

class GuestFiles {
 public:
  // Its error ends the call.
  using OnInfo = std::function<Status(const v1::FileInfo&)>;
  using OnData = std::function<Status(std::string_view)>;
  using OnSent = std::function<void(size_t bytes)>;

  virtual ~GuestFiles() = default;
  // A symbolic link is followed.
  virtual StatusOr<v1::FileInfo> Stat(const std::string& path) = 0;
  virtual Status Read(const std::string& path, const OnInfo& on_info, const OnData& on_data) = 0;
  // `fd` to its end: a file, or a stream. An error of it leaves the guest's file as it was.
  virtual Status Write(const std::string& path, std::optional<uint32_t> mode, int fd,
                       const OnSent& on_sent) = 0;
  // ResourceExhausted: there are more than anybody has.
  virtual StatusOr<std::vector<v1::FileEntry>> List(const std::string& path) = 0;
  virtual Status Mkdir(const std::string& path, uint32_t mode) = 0;
  // In place of what has the name, unless that is a folder.
  virtual Status Symlink(const std::string& path, const std::string& target) = 0;
};

}  // namespace capsem::cli
