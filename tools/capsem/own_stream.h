// A standard stream of ours, readable or writable without waiting, and without a change for the
// others who share it. O_NONBLOCK belongs to the open file, which stdin and stdout share with the
// shell: so pipes and terminals are opened once more; what cannot be (sockets, a terminal of
// another mount namespace) gets the flag, and loses it again at the end.
#pragma once

#include "base/unique_fd.h"

namespace capsem::cli {

class OwnStream {
 public:
  // `access` is O_RDONLY or O_WRONLY.
  OwnStream(int fd, int access);
  ~OwnStream();
  OwnStream(const OwnStream&) = delete;
  OwnStream& operator=(const OwnStream&) = delete;

  int fd() const { return fd_.get(); }
  // Can the loop wait for it? Files cannot be waited for, and never make anybody wait for long.
  bool pollable() const { return pollable_; }

 private:
  UniqueFd fd_;
  bool pollable_ = false;
  int shared_flags_ = -1;  // what to put back; -1 = nothing
};

}  // namespace capsem::cli
