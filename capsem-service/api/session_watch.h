// One Watch call: every session there is, then each change as it happens. Loop thread; owned by
// sessions_rpc until `on_over`.
#pragma once

#include <absl/functional/any_invocable.h>

#include <memory>

#include "capsem/v1/sessions.pb.h"
#include "rpc/server_stream.h"
#include "session/session_table.h"

namespace capsem::service {

class SessionWatch {
 public:
  using Stream = rpc::ServerWriter<capsem::v1::SessionEvent>;

  // `on_over` comes once and may not destroy this at once.
  SessionWatch(SessionTable& table, std::unique_ptr<Stream> stream,
               absl::AnyInvocable<void()> on_over);
  ~SessionWatch();
  SessionWatch(const SessionWatch&) = delete;
  SessionWatch& operator=(const SessionWatch&) = delete;

 private:
  void Send(SessionTable::Kind kind, const capsem::v1::Session* session);

  SessionTable& table_;
  std::unique_ptr<Stream> stream_;
  absl::AnyInvocable<void()> on_over_;
  SessionTable::Ticket ticket_ = 0;
  bool over_ = false;
};

}  // namespace capsem::service
