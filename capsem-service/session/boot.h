// From a session without a machine, new or stopped, to a capsem-process that listens and that the
// registry knows: one method per step, in time order; each ends in the next or in Fail, which
// undoes what was done. Owned by sessions, for as long as it runs; loop thread.
#pragma once

#include <absl/functional/any_invocable.h>

#include <optional>
#include <string>
#include <vector>

#include "base/loop.h"
#include "base/status.h"
#include "base/weak.h"
#include "session/machine_tools.h"
#include "session/session_slot.h"

namespace capsem::service {

class Boot {
 public:
  struct Events {
    // The image is good and the folder is there: whoever asked for the session gets it now.
    absl::AnyInvocable<void()> on_started;
    // Its process has been launched and stands in the session: have that recorded.
    absl::AnyInvocable<void(absl::AnyInvocable<void(Status)> recorded)> on_launched;
    // Of its process, for as long as that lives, also after this is gone.
    absl::AnyInvocable<void(const capsem::process::v1::MachineEvent&)> on_machine;
    absl::AnyInvocable<void(ProcessEnd)> on_process_gone;
    // Once, and the last event: Ok = the process listens and is recorded. It may destroy this.
    absl::AnyInvocable<void(Status)> on_done;
  };

  Boot(Loop& loop, SessionSlot& slot, MachineTools& tools, Events events);
  Boot(const Boot&) = delete;
  Boot& operator=(const Boot&) = delete;

  void Start();
  // Ends at the end of the step that runs, with Cancelled by on_done.
  void Cancel();
  // The process ended before it listened; on_process_gone is for whoever owns this to pass on.
  void OnProcessGone(const std::string& reason);
  bool started() const { return started_; }

 private:
  void MakeFolder();
  void FindProcess();
  void OpenImage(std::string process_program);
  void MakeDisk();
  void Compile();
  void Launch(std::vector<std::string> argv);
  void RecordProcess();
  void OnRecorded(const Status& recorded);
  void TakeOver();
  void Fail(const Status& status);

  // Calls `next` with the value when the step went well and nobody cancelled meanwhile.
  template <typename T>
  absl::AnyInvocable<void(StatusOr<T>)> Then(void (Boot::*next)(T));
  void TakeImage(BootImage image);
  void TakeDisk(UniqueFd disk);
  capsem::process::v1::LaunchSpec MakeLaunchSpec(const std::vector<std::string>& argv) const;

  Loop& loop_;
  SessionSlot& slot_;
  MachineTools& tools_;
  Events events_;
  std::string process_program_;
  BootImage image_;
  UniqueFd disk_;
  bool folder_made_ = false;
  bool started_ = false;
  bool listening_ = false;
  bool recorded_ = false;
  Status unrecorded_;  // why its process could not be recorded
  bool cancelled_ = false;
  WeakOwner<Boot> weak_{this};
};

}  // namespace capsem::service
