// The empty disk that every session begins with: a sparse raw ext4 file with a journal, made once
// per installation and copied (about 5 MiB of data, or a reflink). It appears whole, or not at all.
//
// Owned by app, on the loop. mke2fs runs as a child, copies on a pool thread; while the disk is
// being made, copies wait in order.
#pragma once

#include <absl/functional/any_invocable.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/child.h"
#include "base/loop.h"
#include "base/status.h"
#include "base/unique_fd.h"
#include "base/weak.h"

namespace capsem::service {

struct EmptyDiskSpec {
  std::string folder;  // where it is kept: <state>/cache
  uint64_t bytes = 0;  // virtual size
  std::vector<std::string> programs = {"/usr/sbin/mkfs.ext4", "/sbin/mkfs.ext4"};
};

class EmptyDisk {
 public:
  using Done = absl::AnyInvocable<void(Status)>;

  EmptyDisk(Loop& loop, EmptyDiskSpec spec);
  ~EmptyDisk();
  EmptyDisk(const EmptyDisk&) = delete;
  EmptyDisk& operator=(const EmptyDisk&) = delete;

  // Makes `path` a new disk at 0600, and the empty disk before when it is missing or damaged.
  // ResourceExhausted: the disk of the host is full. FailedPrecondition: there is no mke2fs.
  // Cancelled: the EmptyDisk went before it was made.
  void Copy(std::string path, Done done);

 private:
  struct Order {
    std::string path;
    Done done;
    bool made = false;  // the disk was made for it: a second time would not help
  };

  void Begin(Order order);
  void Make();
  StatusOr<std::unique_ptr<Child>> SpawnMkfs();
  void OnMkfsEnded(ExitReason reason);
  void Answer(const Status& made);

  Loop& loop_;
  const EmptyDiskSpec spec_;
  const std::string path_;
  std::shared_ptr<UniqueFd> unfinished_;  // without a name: whoever is killed leaves nothing
  std::vector<Order> waiting_;            // for the disk to be made
  bool making_ = false;
  std::unique_ptr<Child> mkfs_;
  UniqueFd mkfs_says_;
  WeakOwner<EmptyDisk> weak_{this};
};

}  // namespace capsem::service
