// ProcessStream over gRPC, and what it does before there is anybody to talk to: inputs wait,
// bounded like the stream's own queue. Made by process_client only.
#pragma once

#include <deque>
#include <memory>
#include <utility>

#include "base/loop.h"
#include "base/weak.h"
#include "capsem/process/v1/process.grpc.pb.h"
#include "rpc/client_stream.h"
#include "supervise/process_stream.h"

namespace capsem::service {

template <typename Stream>
class ProcessClientStream final : public Stream {
 public:
  using Input = typename Stream::Input;
  using Event = typename Stream::Event;
  using Events = typename Stream::Events;
  using Machine = capsem::process::v1::Machine;
  using Method = void (Machine::StubInterface::async_interface::*)(
      grpc::ClientContext*, grpc::ClientBidiReactor<Input, Event>*);
  // Says how a call that ended with an error is to be told to whoever made it: at once, or when the
  // reason is known.
  using Explain = absl::AnyInvocable<void(Status, absl::AnyInvocable<void(Status)>)>;

  ProcessClientStream(Loop& loop, Method method, Events events, Explain explain)
      : loop_(loop),
        method_(method),
        events_(std::make_shared<Events>(std::move(events))),
        explain_(std::move(explain)) {}

  // The process listens: what waits goes out.
  void Start(Machine::Stub& stub, const rpc::CallOptions& options) {
    const auto self = weak_.Get();
    stream_ = rpc::ClientStream<Input, Event>::Start(loop_, stub.async(), method_, options,
                                                     {.on_message =
                                                          [self, events = events_](Event event) {
                                                            if (self)
                                                              events->on_event(std::move(event));
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
      Input& input = waiting_.front();
      last ? stream_->WriteLast(std::move(input)) : stream_->Write(std::move(input));
    }
    if (finished_ && nothing_waits) stream_->FinishWriting();
    if (!std::exchange(told_full_, false)) return;
    loop_.Post([self, events = events_] {
      if (self) events->on_ready();
    });
  }
  // There will be no process.
  void Fail(const Status& reason) {
    loop_.Post([self = weak_.Get(), reason] {
      if (self) self->Tell(reason);
    });
  }

  bool Write(Input input) override {
    if (stream_) return stream_->Write(std::move(input));
    waiting_bytes_ += input.ByteSizeLong();
    waiting_.push_back(std::move(input));
    told_full_ = waiting_bytes_ > kHighWater;
    return !told_full_;
  }
  bool WriteLast(Input input) override {
    if (stream_) return stream_->WriteLast(std::move(input));
    finished_ = true;
    return Write(std::move(input));
  }
  void FinishWriting() override {
    finished_ = true;
    if (stream_) stream_->FinishWriting();
  }
  void PauseReading(bool paused) override {
    paused_ = paused;
    if (stream_) stream_->PauseReading(paused);
  }
  Weak<ProcessClientStream> weak() const { return weak_.Get(); }

 private:
  static constexpr size_t kHighWater = 1024 * 1024;  // as the stream's own, rpc/server_stream.h

  void OnClosed(const Status& status) {
    if (status.ok()) return Tell(status);
    explain_(status, [self = weak_.Get()](const Status& reason) {
      if (self) self->Tell(reason);
    });
  }
  void Tell(const Status& status) {
    const auto events = events_;  // the event may drop this
    events->on_closed(status);
  }

  Loop& loop_;
  const Method method_;
  const std::shared_ptr<Events> events_;  // outlives this while one of them runs
  Explain explain_;
  std::unique_ptr<rpc::ClientStream<Input, Event>> stream_;
  std::deque<Input> waiting_;
  size_t waiting_bytes_ = 0;
  bool told_full_ = false;
  bool finished_ = false;
  bool paused_ = false;
  WeakOwner<ProcessClientStream> weak_{this};
};

}  // namespace capsem::service
