// From a session to its end: one method per step, in time order. A stop asks the guest first and
// keeps a persistent session; a delete asks nobody and keeps nothing. Nothing here can fail but the
// removal of a folder, which is told. Owned by sessions, for as long as it runs; loop thread.
#pragma once

#include <absl/functional/any_invocable.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "base/loop.h"
#include "base/status.h"
#include "base/timer.h"
#include "base/weak.h"
#include "session/session_table.h"

namespace capsem::service {

class Halt {
 public:
  enum class Kind { kStop, kDelete };
  struct Plan {
    Kind kind = Kind::kStop;
    std::chrono::milliseconds grace{0};  // for the guest to power off; 0 = it is not asked
    std::string reason;                  // why, if that is more than somebody's wish
  };
  using Done = absl::AnyInvocable<void(Status)>;

  // `on_done` comes once, when nothing of the machine is left, and of the session if it was to go.
  // It may destroy this.
  Halt(Loop& loop, SessionTable& table, SessionSlot& slot, Kind kind, Done on_done);
  Halt(const Halt&) = delete;
  Halt& operator=(const Halt&) = delete;

  // The guest gets `grace` to power off; none when it is not up, or already gone. `booting`:
  // OnBootOver will come.
  void Start(std::chrono::milliseconds grace, bool booting);
  // A stop that became a delete.
  void Hasten();
  // One more who waits for the end.
  void Join(Done done) { joined_.push_back(std::move(done)); }

  void OnBootOver();
  void OnProcessGone();
  // What becomes of the session: false = it stays, stopped.
  bool removes() const { return kind_ == Kind::kDelete || !slot_.session.persistent(); }

 private:
  void AskGuest(std::chrono::milliseconds grace);
  void AwaitGone();
  void OnMachineGone();
  void Unrecord();
  void RemoveFolder(const Status& unrecorded);
  void OnFolderRemoved(const Status& unrecorded, const Status& removed);
  void Finish(const Status& status);

  Loop& loop_;
  SessionTable& table_;
  SessionSlot& slot_;
  Kind kind_;
  Done on_done_;
  std::vector<Done> joined_;
  bool booting_ = false;
  bool ended_ = false;  // nothing of the machine is left
  bool removing_ = false;
  Timer limit_;
  WeakOwner<Halt> weak_{this};
};

}  // namespace capsem::service
