// The host's end of `tools/bench/run link`, in machines of tests only (LaunchSpec.test_rpcs): takes
// or makes bytes, over a plain vsock stream or over a channel of a link of its own, whichever the
// guest dials. Both do nothing with the bytes, so that the difference is the link's. Owned by app;
// loop thread only.
#pragma once

#include <memory>
#include <string>

#include "base/fd_watch.h"
#include "guest/guest_link.h"
#include "wire/testing/bulk.h"

namespace capsem::process {

// A request that has come, and how much of it is still to be done.
class BulkJob {
 public:
  // Takes the request off the front of what comes, and counts the rest.
  void OnBytes(std::string_view bytes);
  // A block to be sent now; empty when there is nothing more.
  std::string_view ToSend() const;
  void Sent(size_t bytes) { left_ -= bytes; }

 private:
  std::string head_;
  wire::BulkRequest request_ = {};
  uint64_t left_ = 0;  // bytes to come, or to be sent
  bool answering_ = false;
};

class BulkPeer {
 public:
  explicit BulkPeer(Loop& loop);
  ~BulkPeer();
  // A connection to one of the two ports; the one before it on that port ends.
  void Adopt(uint32_t port, UniqueFd fd);

 private:
  // The plain stream: as little as a program can do.
  class Plain;
  // A link, and its one channel.
  class Linked;

  Loop& loop_;
  std::unique_ptr<Plain> plain_;
  std::unique_ptr<Linked> linked_;
};

}  // namespace capsem::process
