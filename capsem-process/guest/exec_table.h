// Every command of the machine: those that run, and the last ones that have ended: kFinishedExecs
// of them, or fewer where their spools' files take more than kFinishedSpools together. What becomes
// of the link does not matter to it, and whatever does, each command ends exactly once. Owned by
// the guest session; loop thread.
#pragma once

#include <absl/functional/any_invocable.h>

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/loop.h"
#include "base/status.h"
#include "base/weak.h"
#include "capsem/v1/execs.pb.h"
#include "guest/exec_record.h"
#include "guest/exec_run.h"
#include "guest/guest_link.h"

namespace capsem::process {

struct EndedExec {
  uint64_t id = 0;
  uint64_t file_bytes = 0;   // of its spool
  bool has_readers = false;  // who reads it is not disturbed
};

// Which of those that have ended, the first one first, are forgotten. Pure.
std::vector<uint64_t> TooOld(const std::vector<EndedExec>& ended);

class ExecTable {
 public:
  // The link may be another object after a suspend.
  using LinkGetter = absl::AnyInvocable<GuestLink&()>;
  // A command as one who calls sees it. To drop `reader` ends nothing.
  struct Handle {
    uint64_t id = 0;
    std::unique_ptr<ExecReader> reader;
    Weak<ExecRun> run;  // empty when it has ended
  };

  // What is in `spools` is of a machine before this one, and goes.
  ExecTable(Loop& loop, SpoolPlace spools, LinkGetter link);
  ExecTable(const ExecTable&) = delete;
  ExecTable& operator=(const ExecTable&) = delete;

  // ResourceExhausted: kMaxExecs run. FailedPrecondition: the guest's agent does not know of
  // terminals or users.
  StatusOr<Handle> Start(const capsem::v1::ExecStart& request, ExecSink sink);
  // NotFound: no such command, or it is forgotten. OutOfRange: as ExecRecord.
  StatusOr<Handle> Attach(const capsem::v1::ExecAttach& request, ExecSink sink);
  // NotFound: no such command, or it has ended.
  Status Signal(uint64_t exec, uint32_t signal);
  capsem::v1::ListExecsResponse List() const;

  // What the link tells. `protocol` is the version that the guest speaks.
  void OnLinkUp(uint32_t protocol) { protocol_ = protocol; }
  void OnReadable(wire::ChannelId channel);
  void OnWritable(wire::ChannelId channel);
  void OnReset(wire::ChannelId channel);
  // It was made anew: who waited for room waited on the old one.
  void OnRebuilt();
  // The machine is gone: ends all that run.
  void Fail(const Status& reason);

 private:
  struct Running {
    Running(uint64_t id, wire::ChannelId channel, ExecRun::MuxGetter mux, ExecRecord& record)
        : run(id, channel, std::move(mux), record), weak(&run) {}
    ExecRun run;
    WeakOwner<ExecRun> weak;
  };
  struct Entry {
    std::unique_ptr<ExecRecord> record;
    std::unique_ptr<Running> running;  // null: it has ended
  };
  ExecRun* FindByChannel(wire::ChannelId channel);
  // Runs are dropped from the loop, never while one of their own methods is on the stack.
  void SweepLater();
  void Sweep();
  void ForgetOldest();

  Loop& loop_;
  const SpoolPlace spools_;
  LinkGetter link_;
  uint32_t protocol_ = 0;
  uint64_t next_id_ = 1;  // ids live as long as this process, whoever starts the commands
  std::map<uint64_t, Entry> entries_;
  std::map<wire::ChannelId, uint64_t> running_;
  std::deque<uint64_t> ended_;  // the first one ended first
  bool sweeping_ = false;
  WeakOwner<ExecTable> weak_{this};
};

}  // namespace capsem::process
