// One operation on files, as the agent sees it: bytes from a channel to a process of its own and
// back, unread. The process does the work (file_server.h), so nothing here waits for a user's path.
//
//   running ──its end is told, or the host gave up──► ending ──the process is gone──► over
//
// A host that gives up (the channel is reset) closes the process's socket: it undoes what it began
// and leaves. Owned by the file table; on the loop.
#pragma once

#include <memory>
#include <string>

#include "base/byte_stream.h"
#include "base/timer.h"
#include "base/weak.h"
#include "exec/exec_services.h"
#include "wire/mux.h"

namespace capsem::agent {

// Where the API's paths begin, and /proc.
struct FileRoot {
  int root_fd = -1;
  int proc_fd = -1;
};

class FileJob {
 public:
  // `on_over`: it is over, from now on; it may not destroy the job.
  FileJob(ExecServices& services, wire::Mux& mux, wire::ChannelId channel,
          absl::AnyInvocable<void()> on_over);
  FileJob(const FileJob&) = delete;
  FileJob& operator=(const FileJob&) = delete;

  // An error: nothing was started.
  Status Start(const FileRoot& root);
  // What the multiplexer tells.
  void OnReadable();
  void OnWritable();
  void OnReset();
  // Nothing is left of it here, and the host has been told all.
  bool over() const { return gone_ && finished_ && !stream_; }

 private:
  void OnBytes(std::string_view bytes);
  // The process says no more.
  void OnEnd();
  void OnProcessEnd();
  void Settle();

  ExecServices& services_;
  wire::Mux& mux_;
  const wire::ChannelId channel_;
  absl::AnyInvocable<void()> on_over_;
  std::unique_ptr<ExecGroup> group_;
  std::unique_ptr<ByteStream> stream_;  // to the process; null once that says no more
  std::string waiting_;                 // what the multiplexer has not taken
  bool full_ = false;                   // the process has more to read than it should
  bool finished_ = false;               // our half of the channel
  bool host_finished_ = false;
  bool gone_ = false;
  Timer patience_;
  WeakOwner<FileJob> weak_{this};
};

}  // namespace capsem::agent
