// The flow of exec, run, shell and attach: a command in a machine with this program's stdin, stdout
// and stderr.
//
// 1. The stream is opened and the first input sent; stdin follows, if it is forwarded.
// 2. Output is written in the order of its events: while either stream of ours is full, reading
//    rests, and the guest's command is held by that.
// 3. Ctrl-C sends SIGINT to the command, the second one SIGKILL. Before the command has started,
//    and from the third on, it ends this program; and at once of one that has only attached.
// 4. The command's exit, when all its output is written, is the end. That a time limit ended it is
//    said on stderr.
#pragma once

#include <absl/functional/any_invocable.h>

#include <deque>
#include <memory>
#include <optional>

#include "base/loop.h"
#include "base/status.h"
#include "base/weak.h"
#include "command_stream.h"
#include "input_source.h"
#include "output_sink.h"

namespace capsem::cli {

class RemoteCommand {
 public:
  struct Server {
    absl::AnyInvocable<std::unique_ptr<CommandStream>(CommandStream::Events)> open;
    absl::AnyInvocable<void(const v1::SignalRequest&)> signal;
  };
  struct Streams {
    int in = 0;
    int out = 1;
    int err = 2;
  };
  // How it ended: the code to exit with, or why there is none.
  struct Events {
    absl::AnyInvocable<void(const v1::ExecStarted&)> on_started = [](const v1::ExecStarted&) {};
    // When there is one, it takes the output and the exit, and stdout and stderr see nothing of
    // them. Its error ends the call.
    absl::AnyInvocable<Status(const v1::ExecEvent&)> collect;
    absl::AnyInvocable<void(StatusOr<int>)> on_end;  // once, the last event
  };

  // `first` is start, run or attach. stdin is forwarded when `streams.in` is not negative.
  RemoteCommand(Loop& loop, Server server, v1::ExecInput first, Streams streams, Events events);
  RemoteCommand(const RemoteCommand&) = delete;
  RemoteCommand& operator=(const RemoteCommand&) = delete;

  void OnInterrupt();
  // Of the terminal that shows the command's.
  void Resize(const v1::TerminalSize& size);

 private:
  void StartInput(int fd);
  void OnEvent(v1::ExecEvent event);
  void OnClosed(Status status);
  // Handles what has come, in order, as far as stdout and stderr take it.
  void Pump();
  void Handle(const v1::ExecEvent& event);
  void Print(const v1::ExecEvent& event);
  void PrintEnd(const v1::ExecExit& exit);
  Status OutputStatus() const;
  void End(StatusOr<int> result);

  Loop& loop_;
  Server server_;
  Events events_;
  const bool detached_;
  const bool bound_;        // its machine ends with it
  const bool attached_;     // it was there before, and does not end with this
  const double timeout_s_;  // 0 = none
  Status collected_;
  OutputSink out_;
  OutputSink err_;
  std::unique_ptr<CommandStream> stream_;
  std::unique_ptr<InputSource> input_;
  std::deque<v1::ExecEvent> pending_;
  std::optional<v1::ExecStarted> started_;
  std::optional<int> exit_code_;
  std::optional<Status> closed_;
  int interrupts_ = 0;
  bool ended_ = false;
  WeakOwner<RemoteCommand> weak_{this};
};

}  // namespace capsem::cli
