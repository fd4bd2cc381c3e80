// One command in flight: its channel to the guest, and the record that its output goes to.
//
// The channel carries frames (guest.proto). From the guest: STARTED, output, then EXIT as the last
// one, so nothing can overtake. A frame is consumed, hence acknowledged, when the record has taken
// it: a record without room holds the command by credit. Whatever happens, the record hears of one
// end. Loop thread only.
#pragma once

#include <absl/functional/any_invocable.h>

#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "capsem/guest/v1/guest.pb.h"
#include "capsem/v1/execs.pb.h"
#include "guest/exec_record.h"
#include "wire/frame.h"
#include "wire/mux.h"

namespace capsem::process {

class ExecRun {
 public:
  // What a run needs of its link; the link may be another object after a suspend.
  using MuxGetter = absl::AnyInvocable<wire::Mux&()>;

  ExecRun(uint64_t id, wire::ChannelId channel, MuxGetter mux, ExecRecord& record);

  uint64_t id() const { return id_; }
  wire::ChannelId channel() const { return channel_; }

  // `on_ended` may not destroy this.
  void Start(const capsem::guest::v1::ExecStart& start, absl::AnyInvocable<void()> on_ended);
  // Takes all bytes; false = wait for the sinks' on_stdin_ready before giving more.
  bool WriteStdin(std::string_view bytes);
  void FinishStdin();
  // As WriteStdin. Nothing, when the command has no terminal.
  bool Resize(const capsem::v1::TerminalSize& size);
  // Asks the guest to signal the command, as soon as it has been started.
  void WhenStarted(absl::AnyInvocable<void()> action);

  // Something has come, or the record has room again.
  void OnReadable();
  void OnWritable();
  // The guest reset the channel, or the machine is gone.
  void Fail(Status status);
  bool ended() const { return ended_; }

 private:
  void DeliverAll();
  Status Deliver(const wire::Frame& frame);
  void OnExit(const capsem::guest::v1::ExecExit& exit);
  void Send(wire::FrameKind kind, std::string_view payload);
  void Put(std::string_view bytes);
  void FlushInput();

  const uint64_t id_;
  const wire::ChannelId channel_;
  MuxGetter mux_;
  ExecRecord& record_;
  absl::AnyInvocable<void()> on_ended_;
  std::string input_;  // frames that the channel's window has not taken yet
  bool stdin_open_ = false;
  bool terminal_ = false;
  bool delivering_ = false;
  bool started_ = false;
  bool ended_ = false;
  bool stdin_waits_ = false;  // WriteStdin has said no
  std::vector<absl::AnyInvocable<void()>> when_started_;
};

}  // namespace capsem::process
