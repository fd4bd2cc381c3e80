// The guest's console on disk: reads QEMU's serial socket into a ring of two files at 0600
// (serial.log, and serial.log.1 with what came before it), and keeps the last 4 KiB in memory for
// the reason of a death. Owned by QemuMachine, on the loop.
//
// Neither the guest nor the loop ever waits for it: the socket is always read to its end, and what
// is over the budget, or what the disk refuses, is dropped and counted, with a line in the log that
// says so.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/fd_watch.h"
#include "base/status.h"
#include "base/timer.h"
#include "base/unique_fd.h"
#include "machine/byte_budget.h"
#include "machine/text_tail.h"

namespace capsem::process {

struct SerialRingSpec {
  std::string path;  // of the newer file; the older has ".1" behind it
  size_t file_bytes = size_t{4} << 20;
  // A boot with every message on takes some 100 KiB; a flood gets 1 MiB each second.
  size_t burst_bytes = size_t{1} << 20;
  size_t bytes_per_second = size_t{1} << 20;
};

class SerialRing {
 public:
  // Goes on at the end of files that are there already (a session that is started again).
  static StatusOr<std::unique_ptr<SerialRing>> Create(Loop& loop, UniqueFd socket,
                                                      SerialRingSpec spec);
  SerialRing(const SerialRing&) = delete;
  SerialRing& operator=(const SerialRing&) = delete;

  const TextTail& tail() const { return tail_; }
  uint64_t dropped_bytes() const { return dropped_; }
  // Reads now what QEMU has written already; for the moment after its death.
  void Drain();

 private:
  SerialRing(Loop& loop, UniqueFd socket, SerialRingSpec spec);
  // Whether there may be more to read.
  bool ReadSome();
  void OnReadable();
  void Keep(std::string_view bytes);
  void NoteDropped();
  // How many of the bytes the disk took.
  size_t Write(std::string_view bytes);
  Status OpenFile();
  void Turn();

  const SerialRingSpec spec_;
  UniqueFd socket_;
  UniqueFd file_;
  size_t file_size_ = 0;
  ByteBudget budget_;
  TextTail tail_;
  uint64_t dropped_ = 0;
  uint64_t dropped_unsaid_ = 0;
  FdWatch watch_;  // after socket_: destroyed first
  Timer gather_;
};

}  // namespace capsem::process
