// One Exec, Run or Attach of a client: the client's stream on one side, the call on its
// capsem-process on the other. Loop thread; owned by execs_rpc until `on_over`.
//
// Everything passes in order and with back-pressure both ways. This is where a client that goes
// away is judged: only a message kills (architecture §5), so when its stream ends before the
// command's exit and its policy is KILL, a KILL is sent, and the rest of the output is read and
// dropped until the command has ended. One who has attached ends nothing. A session made by Run is
// deleted when the call ends, however it ends, and before its end is told.
#pragma once

#include <absl/functional/any_invocable.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "api/bulk_gate.h"
#include "base/status.h"
#include "base/timer.h"
#include "base/weak.h"
#include "capsem/v1/execs.pb.h"
#include "rpc/server_stream.h"
#include "session/sessions.h"
#include "supervise/process_stream.h"

namespace capsem::service {

class ExecCall {
 public:
  using Stream = rpc::ServerStream<capsem::v1::ExecInput, capsem::v1::ExecEvent>;
  enum class Verb { kExec, kRun, kAttach };

  // What all calls share.
  struct Shared {
    Loop& loop;
    SessionTable& table;
    Sessions& sessions;
    BulkGate gate;
  };

  // `on_over` comes once and may not destroy this at once: events of its streams may be on the
  // stack.
  ExecCall(Verb verb, Shared& shared, std::unique_ptr<Stream> stream,
           absl::AnyInvocable<void()> on_over);
  ExecCall(const ExecCall&) = delete;
  ExecCall& operator=(const ExecCall&) = delete;

 private:
  void OnInput(capsem::v1::ExecInput input);
  void OnFirst(capsem::v1::ExecInput input);
  void StartRun(capsem::v1::RunStart run);
  void OnCreated(const StatusOr<capsem::v1::Session>& session);
  void StartExec(capsem::v1::ExecStart start);
  // Of a session that has a machine, with the first input for it.
  void Open(const std::string& session, capsem::v1::ExecInput first);
  void Forward(capsem::v1::ExecInput input);
  void OnEvent(capsem::v1::ExecEvent event);
  void OnStarted(capsem::v1::ExecStarted& started);
  // Stops reading for as long as the gate says of this event.
  void MakeWay(const capsem::v1::ExecEvent& event);
  void ReadOn();
  void OnProcessClosed(const Status& status);
  // The client has gone, or was sent away.
  void LoseClient();
  void Kill();
  // The call is over: an Exec's at once, a Run's when its session is gone.
  void End(const Status& status);
  void Over();

  const Verb verb_;
  SessionTable& table_;
  Sessions& sessions_;
  BulkGate& gate_;
  std::unique_ptr<Stream> stream_;
  absl::AnyInvocable<void()> on_over_;
  capsem::v1::ExecStart start_;
  bool takes_inputs_ = false;  // its first input is not all that it has to be told
  bool first_seen_ = false;
  bool client_gone_ = false;
  bool exit_seen_ = false;
  bool over_ = false;
  bool client_full_ = false;
  Timer way_;  // runs: others go first
  std::vector<capsem::v1::ExecInput>
      early_;  // what came before there was a session: two messages at most
  std::optional<SessionId> session_;
  std::string bound_;      // id of the session to delete; empty = none
  bool creating_ = false;  // it is on its way
  uint64_t exec_id_ = 0;   // 0 = has not started
  std::unique_ptr<ProcessExec> exec_;
  WeakOwner<ExecCall> weak_{this};
};

}  // namespace capsem::service
