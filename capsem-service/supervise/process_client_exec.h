// ProcessExec over gRPC, and what it does before there is anybody to talk to: inputs wait, bounded
// like the stream's own queue. Made by process_client only.
#pragma once

#include <deque>
#include <memory>

#include "base/loop.h"
#include "base/weak.h"
#include "capsem/process/v1/process.grpc.pb.h"
#include "rpc/client_stream.h"
#include "supervise/process_exec.h"

namespace capsem::service {

class ProcessClientExec final : public ProcessExec {
 public:
  using Machine = capsem::process::v1::Machine;
  // Says how a call that ended with an error is to be told to whoever made it: at once, or when the
  // reason is known.
  using Explain = absl::AnyInvocable<void(Status, absl::AnyInvocable<void(Status)>)>;

  ProcessClientExec(Loop& loop, Events events, Explain explain);

  // The process listens: what waits goes out.
  void Start(Machine::Stub& stub, const rpc::CallOptions& options);
  // There will be no process.
  void Fail(const Status& reason);

  bool Write(capsem::v1::ExecInput input) override;
  bool WriteLast(capsem::v1::ExecInput input) override;
  void FinishWriting() override;
  void PauseReading(bool paused) override;
  Weak<ProcessClientExec> weak() const { return weak_.Get(); }

 private:
  void OnClosed(const Status& status);
  void Tell(const Status& status);

  Loop& loop_;
  const std::shared_ptr<Events> events_;  // outlives this while one of them runs
  Explain explain_;
  std::unique_ptr<rpc::ClientStream<capsem::v1::ExecInput, capsem::v1::ExecEvent>> stream_;
  std::deque<capsem::v1::ExecInput> waiting_;
  size_t waiting_bytes_ = 0;
  bool told_full_ = false;
  bool finished_ = false;
  bool paused_ = false;
  WeakOwner<ProcessClientExec> weak_{this};
};

}  // namespace capsem::service
