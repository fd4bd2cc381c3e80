// One operation on files in flight: its channel to the guest, its sink, its end.
//
// A frame is consumed, hence acknowledged, when the sink has taken what it tells: a slow sink stops
// the guest by credit. Whatever happens, on_end is called exactly once, unless the run is
// cancelled; nothing is called after it. Loop thread only.
#pragma once

#include <absl/functional/any_invocable.h>

#include <string>
#include <string_view>

#include "base/status.h"
#include "guest/file_answer.h"
#include "wire/mux.h"

namespace capsem::process {

struct FileSink {
  // False: full; more comes after SinkReady.
  absl::AnyInvocable<bool(capsem::process::v1::FileEvent)> on_event;
  // Write may be called again after it has said no.
  absl::AnyInvocable<void()> on_writable;
  absl::AnyInvocable<void(Status)> on_end;
};

class FileRun {
 public:
  // The link may be another object after a suspend.
  using MuxGetter = absl::AnyInvocable<wire::Mux&()>;

  FileRun(const FileAnswer::Request& request, wire::ChannelId channel, MuxGetter mux,
          FileSink sink);

  // Takes all bytes; false = wait for on_writable before giving more.
  bool Write(std::string_view bytes);
  void Commit();
  void SinkReady();
  // Nobody wants it any more: the guest undoes what it began. No event comes after it.
  void Cancel();

  // What the link tells.
  void OnReadable();
  void OnWritable();
  void Fail(Status status);
  bool ended() const { return ended_; }

 private:
  void DeliverAll();
  void Deliver(const wire::Frame& frame);
  void Send(wire::FrameKind kind, std::string_view payload);
  void Put(std::string_view bytes);
  void End(Status status);

  const wire::ChannelId channel_;
  MuxGetter mux_;
  FileSink sink_;
  FileAnswer answer_;
  std::string output_;  // what the channel's window has not taken yet
  bool writer_waits_ = false;
  bool sink_full_ = false;
  bool delivering_ = false;
  bool ended_ = false;
};

}  // namespace capsem::process
