#include "api/session_watch.h"

#include <utility>

namespace capsem::service {

using capsem::v1::SessionEvent;

SessionWatch::SessionWatch(SessionTable& table, std::unique_ptr<Stream> stream,
                           absl::AnyInvocable<void()> on_over)
    : table_(table), stream_(std::move(stream)), on_over_(std::move(on_over)) {
  Stream::Events events;
  events.on_closed = [this](bool) {
    over_ = true;
    on_over_();
  };
  stream_->Begin(std::move(events));
  for (SessionSlot* slot : table_.All()) {
    const capsem::v1::Session session = slot->session.ToProto();
    Send(SessionEvent::KIND_PRESENT, &session);
  }
  Send(SessionEvent::KIND_SYNCED, nullptr);
  ticket_ = table_.Observe([this](SessionTable::Kind kind, const capsem::v1::Session& session) {
    Send(kind, &session);
  });
}

SessionWatch::~SessionWatch() { table_.Forget(ticket_); }

void SessionWatch::Send(SessionTable::Kind kind, const capsem::v1::Session* session) {
  if (over_) return;
  SessionEvent event;
  event.set_kind(kind);
  if (session != nullptr) *event.mutable_session() = *session;
  if (stream_->Write(event)) return;
  // A megabyte of changes that nobody reads: whoever comes back gets the present instead of the
  // past.
  over_ = true;
  stream_->Finish(WithRemedy(ResourceExhausted("the changes of sessions were not read in time"),
                             "watch again, and read faster"));
}

}  // namespace capsem::service
