// The host's end of one vsock connection: a connected, non-blocking stream socket, usually one end
// of a socketpair. Bytes move between the socket and the guest's own buffers; only what the socket
// does not take at once is copied and kept, and the credit of the connection bounds that. Owned by
// VsockSwitch, on the loop.
#pragma once

#include <sys/uio.h>

#include <span>
#include <string>

#include "base/fd_watch.h"
#include "base/status.h"
#include "base/unique_fd.h"

namespace capsem::process {

class VsockStream {
 public:
  struct ReadResult {
    size_t bytes = 0;  // 0 with no end: nothing is there now
    bool end = false;
  };

  // `ready` hears the events that were wanted; it may destroy this object.
  VsockStream(Loop& loop, UniqueFd fd, absl::AnyInvocable<void(int events)> ready);

  // Takes all of it; the answer is how many bytes have left for the socket.
  StatusOr<size_t> Write(std::span<iovec> pieces);
  // Sends of what is kept. The answer: how many bytes left now.
  StatusOr<size_t> Flush();
  // At most as many bytes as the pieces hold; one system call.
  StatusOr<ReadResult> Read(std::span<iovec> pieces);

  // The peer will see the end of the stream, and what it sends is refused. Both may be repeated.
  void FinishWriting();
  void FinishReading();

  bool keeps() const { return sent_ < kept_.size(); }
  // Which events of FdWatch are wanted.
  void Want(int events) { watch_.Want(events); }

 private:
  StatusOr<size_t> Send(std::span<iovec> pieces);

  UniqueFd fd_;
  std::string kept_;
  size_t sent_ = 0;  // of kept_
  bool finished_writing_ = false;
  bool finished_reading_ = false;
  FdWatch watch_;  // after fd_: destroyed first
};

}  // namespace capsem::process
