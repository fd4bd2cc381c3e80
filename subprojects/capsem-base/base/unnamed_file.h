// A file that gets its name last: until then it is nobody's, and goes with its descriptor, however
// its writer ends. Where the file system has no such files, a hidden one with a name of its own
// stands in, which the destructor removes. Errors are errnos, for callers with paths to tell of.
#pragma once

#include <string>

#include "base/unique_fd.h"

namespace capsem {

// One of 2^64, so that nobody has it; hidden, and telling whose it is.
std::string HiddenName();

class UnnamedFile {
 public:
  enum class Existing { kReplace, kRefuse };

  UnnamedFile() = default;
  UnnamedFile(UnnamedFile&& other) noexcept
      : folder_(other.folder_), fd_(std::move(other.fd_)), stand_in_(std::move(other.stand_in_)) {
    other.stand_in_.clear();
  }
  UnnamedFile& operator=(UnnamedFile&&) = delete;
  ~UnnamedFile();

  // In a folder that outlives this, at mode 0600. Once; 0 or an errno.
  int Open(int folder);
  int fd() const { return fd_.get(); }
  // A reader of that name sees what was there before, or all of this. `proc`: a descriptor of
  // /proc; -1 = wherever /proc is. kRefuse: EEXIST when anything has the name.
  int TakeName(const std::string& name, Existing existing, int proc = -1);

 private:
  int folder_ = -1;
  UniqueFd fd_;
  std::string stand_in_;  // the hidden name it has; "" = none
};

}  // namespace capsem
