// One Exec or Attach call on process.sock: a gRPC stream on one side, a reader of the command's
// record and its run on the other.
//
// Losing the stream ends nothing: the reader goes, the command goes on (architecture §5).
// Back-pressure passes through both ways: a full stream stops the reader, a full stdin stops the
// reading of messages. Loop thread only.
#pragma once

#include <absl/functional/any_invocable.h>

#include <memory>
#include <optional>

#include "base/timer.h"
#include "base/weak.h"
#include "capsem/v1/execs.pb.h"
#include "guest/guest_session.h"
#include "life.h"
#include "rpc/server_stream.h"

namespace capsem::process {

class ExecCall {
 public:
  using Stream = rpc::ServerStream<capsem::v1::ExecInput, capsem::v1::ExecEvent>;

  // `on_over` is called once, when the caller may drop this.
  ExecCall(Loop& loop, std::unique_ptr<Stream> stream, Life& life, GuestSession& guest,
           absl::AnyInvocable<void()> on_over);

 private:
  void OnInput(capsem::v1::ExecInput input);
  // Inputs have nowhere to go until the run says that they have.
  void HoldWhen(bool full);
  void OnStart(capsem::v1::ExecStart start);
  void OnAttach(capsem::v1::ExecAttach attach);
  void Begin(const capsem::v1::ExecStart& start);
  // False: why not has been told.
  bool Take(StatusOr<ExecTable::Handle> handle);
  void TellStarted();
  ExecSink MakeSink();
  void Finish(const Status& status);

  const std::unique_ptr<Stream> stream_;
  Life& life_;
  GuestSession& guest_;
  absl::AnyInvocable<void()> on_over_;
  std::unique_ptr<ExecReader> reader_;
  Weak<ExecRun> run_;
  std::optional<uint64_t> untold_;  // the id, until `started` has been written
  Timer tell_started_;
  std::optional<capsem::v1::ExecEvent> exit_;  // goes out with the end of the stream
  bool start_seen_ = false;
  bool ends_stdin_ = true;  // the end of this call's inputs does; others may write it later
  bool finished_ = false;
  WeakOwner<ExecCall> weak_{this};
};

}  // namespace capsem::process
