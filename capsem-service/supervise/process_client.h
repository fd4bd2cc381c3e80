// The calls that the service makes on one capsem-process; the only holder of its stub. Owned by a
// session's slot; loop thread.
//
// It exists before its process does: calls wait here, in order, until Open, and go out then. Close
// tells why the process is gone: whatever waits or runs ends with that reason, and so does every
// later call. A call whose connection breaks before that waits a moment for the reason, so that
// nobody is told "connection reset" of a machine that died.
#pragma once

#include <absl/functional/any_invocable.h>

#include <chrono>
#include <memory>
#include <string>

#include "base/loop.h"
#include "base/status.h"
#include "capsem/process/v1/process.pb.h"
#include "capsem/v1/execs.pb.h"
#include "supervise/process_stream.h"

namespace capsem::service {

class ProcessClient {
 public:
  using Done = absl::AnyInvocable<void(Status)>;
  using Introduced = absl::AnyInvocable<void(StatusOr<capsem::process::v1::IntroduceResponse>)>;
  using OnMachine = absl::AnyInvocable<void(const capsem::process::v1::MachineEvent&)>;

  ProcessClient(Loop& loop, std::string socket_path);
  ~ProcessClient();
  ProcessClient(const ProcessClient&) = delete;
  ProcessClient& operator=(const ProcessClient&) = delete;

  // Asks a process that is not of our launch who it is, with a nonce of ours; before Open.
  void Introduce(const std::string& nonce, Introduced done);
  // The process listens; `proof` (wire/proof.h) goes with every call.
  void Open(std::string proof);
  void Close(const Status& reason);

  // Stands behind the machine until Close; hears what becomes of it.
  void Hold(OnMachine on_machine);
  std::unique_ptr<ProcessExec> Exec(ProcessExec::Events events);
  std::unique_ptr<ProcessExec> Attach(ProcessExec::Events events);
  using OnExecs = absl::AnyInvocable<void(StatusOr<capsem::v1::ListExecsResponse>)>;
  void ListExecs(OnExecs done);
  std::unique_ptr<ProcessFileCall> File(ProcessFileCall::Events events);
  void Signal(const capsem::v1::SignalRequest& request, Done done);
  // Whether its session is kept, if nobody stands behind it any more one day.
  void SetKeep(bool keep);
  // Answers when the machine is gone.
  void Stop(std::chrono::milliseconds grace, Done done);

 private:
  class Impl;
  const std::shared_ptr<Impl> impl_;
};

}  // namespace capsem::service
