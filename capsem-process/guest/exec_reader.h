// One who reads what a command writes: from an offset on, as fast as its sink takes it, to the
// exit. Its record waits for it while it exists. Loop thread.
#pragma once

#include <absl/functional/any_invocable.h>

#include "base/status.h"
#include "base/timer.h"
#include "base/weak.h"
#include "capsem/v1/execs.pb.h"
#include "guest/exec_spool.h"

namespace capsem::process {

struct ExecSink {
  // False: full; more comes after ExecReader::Ready.
  absl::AnyInvocable<bool(capsem::v1::ExecEvent)> on_event;
  // ExecRun's WriteStdin may be called again after it has said no.
  absl::AnyInvocable<void()> on_stdin_ready;
  // Once, and the last: Ok after an `exit` event.
  absl::AnyInvocable<void(Status)> on_end;
};

class ExecRecord;

// Made by ExecRecord::Attach; may be dropped at any time, but not in on_event.
class ExecReader {
 public:
  ~ExecReader();
  ExecReader(const ExecReader&) = delete;
  ExecReader& operator=(const ExecReader&) = delete;

  // The sink takes again.
  void Ready();

 private:
  friend class ExecRecord;
  ExecReader(ExecRecord& record, uint64_t offset, uint64_t dropped, ExecSink sink);
  uint64_t offset() const { return cursor_.offset(); }
  // There is more to give; the record hears how far that went.
  void GoOn();
  // Gives what there is and what the sink takes.
  void Pump();
  bool PumpOne();
  // More is on its way, and an event of its own for each piece would cost more than the wait.
  bool Gathers() const;
  // What there is of one stream, up to kMaxOutput.
  Status TakeOutput(capsem::v1::ExecEvent& event);
  void Give(capsem::v1::ExecEvent event);
  void End(Status status);

  ExecRecord& record_;
  ExecSpool::Cursor cursor_;
  uint64_t dropped_;  // to be told
  ExecSink sink_;
  Timer gather_;  // runs: what comes waits for more
  bool full_ = false;
  bool pumping_ = false;
  bool ended_ = false;
  WeakOwner<ExecReader> weak_{this};
};

}  // namespace capsem::process
