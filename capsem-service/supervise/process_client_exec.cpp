#include "supervise/process_client_exec.h"

#include <utility>

namespace capsem::service {

using capsem::v1::ExecEvent;
using capsem::v1::ExecInput;

namespace {
constexpr size_t kHighWater = 1024 * 1024;  // as the stream's own, rpc/server_stream.h
}  // namespace

ProcessClientExec::ProcessClientExec(Loop& loop, Events events, Explain explain)
    : loop_(loop),
      events_(std::make_shared<Events>(std::move(events))),
      explain_(std::move(explain)) {}

void ProcessClientExec::Start(Machine::Stub& stub, const rpc::CallOptions& options) {
  using Async = Machine::StubInterface::async_interface;
  const auto self = weak_.Get();
  stream_ = rpc::ClientStream<ExecInput, ExecEvent>::Start(
      loop_, stub.async(), &Async::Exec, options,
      {.on_message =
           [self, events = events_](ExecEvent event) {
             if (self) events->on_event(std::move(event));
           },
       .on_ready =
           [self, events = events_] {
             if (self) events->on_ready();
           },
       .on_closed =
           [self](const Status& status) {
             if (self) self->OnClosed(status);
           }});
  stream_->PauseReading(paused_);
  const bool nothing_waits = waiting_.empty();
  for (; !waiting_.empty(); waiting_.pop_front()) {
    const bool last = finished_ && waiting_.size() == 1;
    ExecInput& input = waiting_.front();
    last ? stream_->WriteLast(std::move(input)) : stream_->Write(std::move(input));
  }
  if (finished_ && nothing_waits) stream_->FinishWriting();
  if (!std::exchange(told_full_, false)) return;
  loop_.Post([self, events = events_] {
    if (self) events->on_ready();
  });
}

void ProcessClientExec::Fail(const Status& reason) {
  loop_.Post([self = weak_.Get(), reason] {
    if (self) self->Tell(reason);
  });
}

bool ProcessClientExec::Write(ExecInput input) {
  if (stream_) return stream_->Write(std::move(input));
  waiting_bytes_ += input.ByteSizeLong();
  waiting_.push_back(std::move(input));
  told_full_ = waiting_bytes_ > kHighWater;
  return !told_full_;
}

bool ProcessClientExec::WriteLast(ExecInput input) {
  if (stream_) return stream_->WriteLast(std::move(input));
  finished_ = true;
  return Write(std::move(input));
}

void ProcessClientExec::FinishWriting() {
  finished_ = true;
  if (stream_) stream_->FinishWriting();
}

void ProcessClientExec::PauseReading(bool paused) {
  paused_ = paused;
  if (stream_) stream_->PauseReading(paused);
}

void ProcessClientExec::OnClosed(const Status& status) {
  if (status.ok()) return Tell(status);
  explain_(status, [self = weak_.Get()](const Status& reason) {
    if (self) self->Tell(reason);
  });
}

void ProcessClientExec::Tell(const Status& status) {
  const auto events = events_;  // the event may drop this
  events->on_closed(status);
}

}  // namespace capsem::service
