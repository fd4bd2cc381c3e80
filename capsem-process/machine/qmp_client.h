// QMP on the loop: QEMU's monitor over our end of a socketpair. Commands are matched to their
// answers by id, each with a limit of its own; events go to one sink. Owned by QemuMachine.
//
// QEMU may have been taken over by its guest: what it sends is bounded (qmp_message.h), descriptors
// it sends are dropped by the kernel, and anything that is not QMP ends the connection.
#pragma once

#include <absl/functional/any_invocable.h>

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <string>

#include "base/fd_watch.h"
#include "base/timer.h"
#include "base/unique_fd.h"
#include "base/weak.h"
#include "machine/qmp_message.h"

namespace capsem::process {

struct QmpCommand {
  std::string name;
  std::string arguments = {};  // JSON, or empty
  // Travels with the command (getfd); one such command at a time, for QEMU keeps only the newest.
  UniqueFd fd = {};
  // Long enough for a host under heavy load: QEMU answers each command of ours within milliseconds.
  std::chrono::milliseconds limit = std::chrono::seconds(30);
};

class QmpClient {
 public:
  using Done = absl::AnyInvocable<void(StatusOr<QmpFields>)>;
  struct Events {
    absl::AnyInvocable<void(const QmpEvent&)> on_event;
    // Once, and last, after every pending command has ended: Unavailable = QEMU closed its end,
    // DataLoss = it sent what is no QMP.
    absl::AnyInvocable<void(Status)> on_end;
  };
  static constexpr size_t kMaxPending = 64;

  QmpClient(Loop& loop, UniqueFd fd, Events events);
  QmpClient(const QmpClient&) = delete;
  QmpClient& operator=(const QmpClient&) = delete;

  // The first command must be qmp_capabilities; it needs no waiting for the greeting. `done` comes
  // once, from the loop; not at all when the client is destroyed first.
  void Execute(QmpCommand command, Done done);
  // Hears now what QEMU has sent already; for the moment after its death. May destroy the client's
  // owner, as every event may.
  void Drain();
  // QEMU has closed its end, whether or not we have read all that it said before.
  bool PeerGone() const;

 private:
  struct Pending {
    Pending(Loop& loop, std::string command, Done callback)
        : name(std::move(command)), done(std::move(callback)), limit(loop) {}
    std::string name;
    Done done;
    Timer limit;
  };
  struct Output {
    std::string bytes;
    UniqueFd fd;
  };

  void OnReady(int events);
  // Each says whether more may follow: the client lives and has not ended.
  bool ReadSome();
  bool Handle(QmpMessage message);
  bool HandleAnswer(QmpAnswer answer);
  void Flush();
  ssize_t Send(const Output& output);
  void EndCommand(uint64_t id, StatusOr<QmpFields> result);
  void End(Status status);
  void UpdateWatch();

  Loop& loop_;
  UniqueFd fd_;
  Events events_;
  QmpDecoder decoder_;
  bool greeted_ = false;
  bool ended_ = false;
  uint64_t next_id_ = 1;
  std::map<uint64_t, Pending> pending_;  // in the order of their asking
  std::deque<Output> output_;
  FdWatch watch_;  // after fd_: destroyed first
  WeakOwner<QmpClient> weak_{this};
};

}  // namespace capsem::process
