// The frames of one command's channel, both ways (guest.proto): the request and its stdin in, what
// comes of it out. Owned by the exec table, which passes the multiplexer's events on. No event may
// destroy the channel.
#pragma once

#include <absl/functional/any_invocable.h>

#include <string>
#include <string_view>

#include "base/status.h"
#include "capsem/guest/v1/guest.pb.h"
#include "exec/exec_output.h"
#include "wire/frame.h"
#include "wire/mux.h"

namespace capsem::agent {

class ExecChannel {
 public:
  using OnStart = absl::AnyInvocable<void(StatusOr<capsem::guest::v1::ExecStart>)>;
  struct Events {
    // Says how much it takes; the rest is offered again by ReadOn, and the host waits meanwhile.
    absl::AnyInvocable<size_t(std::string_view)> on_stdin;
    absl::AnyInvocable<void()> on_stdin_end;
    absl::AnyInvocable<void(const capsem::guest::v1::Resize&)> on_resize;
    // What was sent has left, after `blocked`; or nobody wants to hear it any more.
    absl::AnyInvocable<void()> on_drained;
  };

  // `on_start` comes first, and once. An error: what came is no request.
  ExecChannel(wire::Mux& mux, wire::ChannelId id, OnStart on_start);
  ExecChannel(const ExecChannel&) = delete;
  ExecChannel& operator=(const ExecChannel&) = delete;

  // What the multiplexer tells.
  void OnReadable() { ReadOn(); }
  void OnWritable();
  void OnReset();

  // The command runs: until here, what follows the request has waited.
  void Accept(Events events);
  void ReadOn();
  // Takes the whole frame. Whoever has more to send waits while `blocked`.
  void Send(wire::FrameKind kind, std::string_view payload);
  // Reads a frame's payload and sends it, without a copy when it is much: answers as read(2). When
  // the channel is `blocked` afterwards, -1 says that nothing was read.
  ssize_t SendFrom(ExecOutput& output, wire::FrameKind kind, size_t most);
  bool blocked() const { return no_room_ || !waiting_.empty(); }
  // After all that was sent.
  void Finish();
  // The exit of a command that never ran, and the finish.
  void Refuse(int code, std::string_view why);
  // Everything is said, or the host wants to hear no more. What still comes in may be dropped.
  bool over() const { return over_; }

 private:
  // Each says whether it is worth going on.
  bool TakeStdin();
  bool TakeFrame();
  bool TakeBytes();
  void OnFrame(const wire::Frame& frame);
  void OnBroken(Status why);
  void EndStdin();
  void OnResize(std::string_view payload);
  void Put(std::string_view bytes);

  wire::Mux& mux_;
  const wire::ChannelId id_;
  OnStart on_start_;
  Events events_;
  wire::FrameReader reader_;
  std::string_view stdin_;  // of the current frame, not taken yet; into reader_
  std::string waiting_;     // frames that the multiplexer has not taken
  bool no_room_ = false;    // in the multiplexer; OnWritable will say that there is some
  bool much_ = false;       // was read at once the last time
  bool started_ = false;
  bool accepted_ = false;
  bool stdin_ended_ = false;
  bool reading_ = false;  // the events may lead back into ReadOn
  bool finishing_ = false;
  bool over_ = false;
};

}  // namespace capsem::agent
