// Buffered, non-blocking bytes over any stream descriptor (socket, pipe, PTY), on the loop.
//
// Reading: every chunk (at most 64 KiB) is handed to on_bytes, which takes all of it; PauseReading
// stops more from coming, and the kernel's buffer then holds the peer. Writing: what the descriptor
// does not take at once is buffered; Write says when the buffer is over the high-water mark,
// on_drained says when it has emptied again. The stream may be destroyed from any of its own
// callbacks.
#pragma once

#include <absl/functional/any_invocable.h>

#include <span>
#include <string>
#include <string_view>

#include "base/fd_watch.h"
#include "base/status.h"
#include "base/unique_fd.h"
#include "base/weak.h"

namespace capsem {

class ByteStream {
 public:
  // Writers that look at Write's answer keep a stream below its mark plus one write of theirs.
  static constexpr size_t kHighWater = 256 * 1024;

  struct Events {
    absl::AnyInvocable<void(std::string_view)> on_bytes;
    absl::AnyInvocable<void()> on_drained = [] {};
    // Once, and the last event: Ok = the peer closed its end; else what failed. Also heard while
    // reading is paused, when a write fails.
    absl::AnyInvocable<void(Status)> on_end;
  };

  // Sets O_NONBLOCK on the descriptor. Events come only from the loop, never from within a call.
  ByteStream(Loop& loop, UniqueFd fd, Events events);
  ByteStream(const ByteStream&) = delete;
  ByteStream& operator=(const ByteStream&) = delete;

  // Gives the stream to another owner: later events are theirs. Also from within an event.
  void SetEvents(Events events) { events_ = std::move(events); }
  // Takes all bytes. False: over the high-water mark, wait for on_drained before writing more.
  bool Write(std::string_view bytes) { return Write({&bytes, 1}); }
  bool Write(std::span<const std::string_view> pieces);
  // Of later writes. 0: a write that is not taken whole at once is told as over the mark.
  void SetHighWater(size_t bytes) { high_water_ = bytes; }
  // After everything written so far has left: half-close (sockets only).
  void FinishWriting();
  void PauseReading(bool paused);
  size_t buffered() const { return out_.size() - out_start_; }
  int fd() const { return fd_.get(); }

 private:
  void OnReady(int events);
  // Each says whether the stream still lives: a callback may have destroyed it.
  bool ReadSome();
  bool Flush();
  // How many bytes the descriptor took.
  size_t WriteNow(std::span<const std::string_view> pieces);
  void UpdateWatch();
  void End(Status status);

  UniqueFd fd_;
  Events events_;
  std::string out_;
  size_t high_water_ = kHighWater;
  size_t out_start_ = 0;
  bool paused_ = false;
  bool finishing_ = false;
  bool ended_ = false;
  bool over_high_water_ = false;
  FdWatch watch_;  // after fd_: destroyed first
  WeakOwner<ByteStream> weak_{this};
};

// Both ends of an AF_UNIX stream, close-on-exec.
StatusOr<std::pair<UniqueFd, UniqueFd>> SocketPair();

}  // namespace capsem
