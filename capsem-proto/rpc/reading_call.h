// What ClientStream and ClientReader are made of: one call that the loop reads from (and writes
// to). gRPC's threads only post; all state is the loop's. Owned by itself until gRPC's OnDone, and
// by the stream object of the loop, so that either may go first.
#pragma once

#include <absl/functional/any_invocable.h>
#include <grpcpp/client_context.h>
#include <grpcpp/support/client_callback.h>

#include <memory>

#include "base/loop.h"
#include "base/status.h"
#include "rpc/status_code.h"

namespace capsem::rpc::internal {

// What both stream kinds share: reading, the end, and the hold that keeps gRPC from ending the call
// while the loop may still start operations. `Reactor` is gRPC's; In is what comes.
template <typename Reactor, typename In>
class ReadingCall : public Reactor, public std::enable_shared_from_this<ReadingCall<Reactor, In>> {
 public:
  using OnMessage = absl::AnyInvocable<void(In)>;
  struct Events {
    OnMessage on_message;
    absl::AnyInvocable<void()> on_ready = [] {};
    absl::AnyInvocable<void(Status)> on_closed;
  };

  ReadingCall(const Loop& loop, Events events)
      : loop_(loop.postbox()), events_(std::make_shared<Events>(std::move(events))) {}

  // After the stub was told to prepare the call.
  void Begin() {
    self_ = this->shared_from_this();
    this->AddHold();
    reading_ = true;
    this->StartRead(&incoming_);
    this->StartCall();
  }
  void PauseReading(bool paused) {
    paused_ = paused;
    ReadNext();
  }
  void Cancel() {
    context_.TryCancel();
    if (!reading_) EndOperations();
  }
  void Abandon() {
    events_ = nullptr;
    Cancel();
  }
  grpc::ClientContext& context() { return context_; }

 protected:
  using Self = ReadingCall;
  std::shared_ptr<Self> Shared() { return this->shared_from_this(); }
  void OnReadDone(bool ok) override {
    loop_->Post([self = Shared(), ok] { self->ReadDone(ok); });
  }
  void OnDone(const grpc::Status& status) override {
    loop_->Post([self = std::move(self_), status = FromGrpc(status)] {
      const auto events = std::move(self->events_);
      if (events) events->on_closed(status);
    });
  }
  void EndOperations() {
    if (std::exchange(ended_, true)) return;
    this->RemoveHold();
  }

  const std::shared_ptr<Loop::Postbox> loop_;
  std::shared_ptr<Events> events_;  // null when the stream object is gone
  bool ended_ = false;              // no operation may be started any more

 private:
  void ReadDone(bool ok) {
    reading_ = false;
    if (!ok) return EndOperations();
    const auto events = events_;
    In message = std::move(incoming_);
    incoming_ = In();
    if (events) events->on_message(std::move(message));
    // Without a listener the rest is read and dropped until the cancelled call has ended.
    if (!events_) paused_ = false;
    ReadNext();
  }
  void ReadNext() {
    if (ended_ || reading_ || paused_) return;
    reading_ = true;
    this->StartRead(&incoming_);
  }

  grpc::ClientContext context_;
  In incoming_;  // gRPC's while `reading_`
  bool reading_ = false;
  bool paused_ = false;
  std::shared_ptr<Self> self_;  // until OnDone
};

}  // namespace capsem::rpc::internal
