// One command in flight: its channel to the guest, its sink, its end.
//
// The channel carries frames (guest.proto). From the guest: STARTED, output, then EXIT as the last
// one, so nothing can overtake. A frame is consumed, hence acknowledged, when the sink has taken
// it: a slow sink stops the command by credit. Whatever happens, the sink's on_end is called
// exactly once; nothing is called after it. Loop thread only.
#pragma once

#include <absl/functional/any_invocable.h>

#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "capsem/guest/v1/guest.pb.h"
#include "capsem/v1/execs.pb.h"
#include "wire/frame.h"
#include "wire/mux.h"

namespace capsem::process {

struct ExecSink {
  // False: full; more comes after ExecRun::SinkReady.
  absl::AnyInvocable<bool(capsem::v1::ExecEvent)> on_event;
  // WriteStdin may be called again after it has said no.
  absl::AnyInvocable<void()> on_stdin_ready;
  // Ok after an `exit` event.
  absl::AnyInvocable<void(Status)> on_end;
};

class ExecRun {
 public:
  // What a run needs of its link; the link may be another object after a suspend.
  using MuxGetter = absl::AnyInvocable<wire::Mux&()>;

  ExecRun(uint64_t id, wire::ChannelId channel, MuxGetter mux, ExecSink sink);

  uint64_t id() const { return id_; }
  wire::ChannelId channel() const { return channel_; }

  void Start(const capsem::guest::v1::ExecStart& start);
  // Takes all bytes; false = wait for on_stdin_ready before giving more.
  bool WriteStdin(std::string_view bytes);
  void FinishStdin();
  // Asks the guest to signal the command, as soon as it has been started.
  void WhenStarted(absl::AnyInvocable<void()> action);
  // The caller is content to hear no more: output is dropped from here on, the command goes on.
  void Detach();

  void SinkReady();
  void OnReadable();
  void OnWritable();
  // The guest reset the channel, or the machine is gone.
  void Fail(Status status);
  bool ended() const { return ended_; }

 private:
  void DeliverAll();
  Status Deliver(const wire::Frame& frame);
  bool Emit(capsem::v1::ExecEvent event);
  void OnExit(const capsem::guest::v1::ExecExit& exit);
  void Send(wire::FrameKind kind, std::string_view payload);
  void Put(std::string_view bytes);
  void FlushInput();

  const uint64_t id_;
  const wire::ChannelId channel_;
  MuxGetter mux_;
  ExecSink sink_;
  std::string input_;  // frames that the channel's window has not taken yet
  bool stdin_open_ = false;
  bool sink_full_ = false;
  bool delivering_ = false;
  bool detached_ = false;
  bool started_ = false;
  bool ended_ = false;
  bool stdin_waits_ = false;  // WriteStdin has said no
  std::vector<absl::AnyInvocable<void()>> when_started_;
};

}  // namespace capsem::process
