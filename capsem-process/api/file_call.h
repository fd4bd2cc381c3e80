// One File call on process.sock: a gRPC stream on one side, a FileRun on the other.
//
// A caller that goes away ends the operation. Back-pressure passes through both ways, as in
// exec_call. Loop thread only.
#pragma once

#include <absl/functional/any_invocable.h>

#include <memory>

#include "base/weak.h"
#include "capsem/process/v1/process.pb.h"
#include "guest/file_runs.h"
#include "life.h"
#include "rpc/server_stream.h"

namespace capsem::process {

class FileCall {
 public:
  using Stream = rpc::ServerStream<capsem::process::v1::FileInput, capsem::process::v1::FileEvent>;

  // `on_over` is called once, when the caller may drop this.
  FileCall(std::unique_ptr<Stream> stream, Life& life, FileRuns& files,
           absl::AnyInvocable<void()> on_over);

 private:
  void OnInput(const capsem::process::v1::FileInput& input);
  void OnRequest(const capsem::process::v1::FileRequest& request);
  void Begin(const capsem::process::v1::FileRequest& request);
  FileSink MakeSink();
  void Finish(const Status& status);

  const std::unique_ptr<Stream> stream_;
  Life& life_;
  FileRuns& files_;
  absl::AnyInvocable<void()> on_over_;
  Weak<FileRun> run_;
  bool request_seen_ = false;
  bool finished_ = false;
  WeakOwner<FileCall> weak_{this};
};

}  // namespace capsem::process
