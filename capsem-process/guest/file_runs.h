// The operations on files that are in flight, by their channels. Owned by GuestSession, which
// passes the link's events on; loop thread only.
#pragma once

#include <map>
#include <memory>

#include "base/loop.h"
#include "base/weak.h"
#include "guest/file_run.h"

namespace capsem::process {

class FileRuns {
 public:
  // `mux` is asked each time: the link may be another object after a suspend.
  FileRuns(Loop& loop, FileRun::MuxGetter mux) : loop_(loop), mux_(std::move(mux)) {}

  // ResourceExhausted: kMaxFileCalls are in flight. The run is good until its sink's on_end, or its
  // Cancel.
  StatusOr<Weak<FileRun>> Start(const FileAnswer::Request& request, FileSink sink);

  // nullptr: the channel is none of these.
  FileRun* Find(wire::ChannelId channel);
  void FailAll(const Status& reason);
  // After the link was made anew: who waited for room waited on the old one.
  void OnNewLink();

 private:
  struct Entry {
    Entry(const FileAnswer::Request& request, wire::ChannelId channel, FileRun::MuxGetter mux,
          FileSink sink)
        : run(request, channel, std::move(mux), std::move(sink)), weak(&run) {}
    FileRun run;
    WeakOwner<FileRun> weak;
  };
  // Drops those that have ended.
  void Sweep();

  Loop& loop_;
  FileRun::MuxGetter mux_;
  std::map<wire::ChannelId, std::unique_ptr<Entry>> runs_;
  WeakOwner<FileRuns> weak_{this};
};

}  // namespace capsem::process
