// Calls whose results arrive on the loop: CallUnary, ClientStream (both ways), ClientReader (a
// server stream).
//
//   rpc::CallUnary(loop, stub->async(), &Sessions::StubInterface::async_interface::Get, request,
//   {}, [](auto answer) {…}); auto stream = rpc::ClientStream<ExecInput, ExecEvent>::Start(
//       loop, stub->async(), &Execs::StubInterface::async_interface::Exec, {}, {.on_message = …,
//       .on_closed = …});
//
// - `done` and events come only from the loop, never from within a call. on_closed is the last
// event of a stream and
//   comes once, with the status that the server gave or why the call broke.
// - A stream object may be dropped in any of its own events; dropping it before its end cancels the
// call.
// - Back-pressure as in server_stream.h: Write says when over 1 MiB wait, PauseReading stops asking
// for messages. While
//   reading is paused the end of the call is not heard.
// - The call holds what it reads into, and itself, until gRPC is done with it. The loop must
// outlive it.
#pragma once

#include <absl/functional/any_invocable.h>
#include <grpcpp/client_context.h>
#include <grpcpp/support/client_callback.h>

#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <type_traits>

#include "base/loop.h"
#include "base/status.h"
#include "rpc/status_code.h"

namespace capsem::rpc {

struct CallOptions {
  std::chrono::milliseconds timeout{0};  // 0 = no deadline
};

// Cancels a call; it then ends with Cancelled. Copies name the same call; dropping it does nothing.
class CallHandle {
 public:
  CallHandle() = default;
  explicit CallHandle(std::shared_ptr<grpc::ClientContext> context)
      : context_(std::move(context)) {}
  void Cancel() {
    if (context_) context_->TryCancel();
  }

 private:
  std::shared_ptr<grpc::ClientContext> context_;
};

namespace internal {

inline void Apply(const CallOptions& options, grpc::ClientContext& context) {
  if (options.timeout.count() > 0)
    context.set_deadline(std::chrono::system_clock::now() + options.timeout);
}

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

  ReadingCall(Loop& loop, Events events)
      : loop_(loop), events_(std::make_shared<Events>(std::move(events))) {}

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
    loop_.Post([self = Shared(), ok] { self->ReadDone(ok); });
  }
  void OnDone(const grpc::Status& status) override {
    loop_.Post([self = std::move(self_), status = FromGrpc(status)] {
      const auto events = std::move(self->events_);
      if (events) events->on_closed(status);
    });
  }
  void EndOperations() {
    if (std::exchange(ended_, true)) return;
    this->RemoveHold();
  }

  Loop& loop_;
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

template <typename Out, typename In>
class DuplexCall final : public ReadingCall<grpc::ClientBidiReactor<Out, In>, In> {
 public:
  using Base = ReadingCall<grpc::ClientBidiReactor<Out, In>, In>;
  static constexpr size_t kHighWater = 1024 * 1024;
  using Base::Base;

  bool Write(Out message) {
    if (this->ended_) return true;
    queued_bytes_ += message.ByteSizeLong();
    queue_.push_back(std::move(message));
    WriteNext();
    if (queued_bytes_ > kHighWater) told_full_ = true;
    return !told_full_;
  }
  void FinishWriting() {
    finishing_ = true;
    WriteNext();
  }

 private:
  void OnWriteDone(bool ok) override {
    this->loop_.Post([self = this->Shared(), this, ok] { WriteDone(ok); });
  }
  void WriteDone(bool ok) {
    writing_ = false;
    queued_bytes_ -= queue_.front().ByteSizeLong();
    queue_.pop_front();
    if (!ok) {
      // The call is over; its status comes once everything has been read.
      queue_.clear();
      queued_bytes_ = 0;
      broken_ = true;
    }
    WriteNext();
    if (!told_full_ || queued_bytes_ > kHighWater / 2) return;
    told_full_ = false;
    const auto events = this->events_;
    if (events && !broken_ && !this->ended_) events->on_ready();
  }
  void WriteNext() {
    if (this->ended_ || broken_ || writing_) return;
    if (!queue_.empty()) {
      writing_ = true;
      this->StartWrite(&queue_.front());
    } else if (finishing_ && !std::exchange(writes_done_, true)) {
      this->StartWritesDone();
    }
  }

  std::deque<Out> queue_;
  size_t queued_bytes_ = 0;
  bool writing_ = false;  // the front of `queue_` is gRPC's
  bool told_full_ = false;
  bool finishing_ = false;
  bool writes_done_ = false;
  bool broken_ = false;
};

template <typename Request, typename In>
class ReaderCall final : public ReadingCall<grpc::ClientReadReactor<In>, In> {
 public:
  using Base = ReadingCall<grpc::ClientReadReactor<In>, In>;
  ReaderCall(Loop& loop, Request sent, typename Base::Events events)
      : Base(loop, std::move(events)), request(std::move(sent)) {}
  const Request request;
};

}  // namespace internal

// `done` is called once, on the loop.
template <typename Stub, typename Async, typename Request, typename Response>
CallHandle CallUnary(Loop& loop, Stub* stub,
                     void (Async::*method)(grpc::ClientContext*, const Request*, Response*,
                                           std::function<void(grpc::Status)>),
                     const std::type_identity_t<Request>& request, const CallOptions& options,
                     std::type_identity_t<absl::AnyInvocable<void(StatusOr<Response>)>> done) {
  struct State {
    Request request;
    Response response;
    absl::AnyInvocable<void(StatusOr<Response>)> done;
  };
  const auto context = std::make_shared<grpc::ClientContext>();
  internal::Apply(options, *context);
  const auto state = std::make_shared<State>(State{request, {}, std::move(done)});
  (stub->*method)(context.get(), &state->request, &state->response,
                  [&loop, context, state](const grpc::Status& status) {
                    loop.Post([state, status = FromGrpc(status)] {
                      if (!status.ok()) return state->done(status);
                      state->done(std::move(state->response));
                    });
                  });
  return CallHandle(context);
}

template <typename Out, typename In>
class ClientStream {
  using Call = internal::DuplexCall<Out, In>;

 public:
  using Events = typename Call::Events;

  template <typename Stub, typename Async>
  static std::unique_ptr<ClientStream> Start(
      Loop& loop, Stub* stub,
      void (Async::*method)(grpc::ClientContext*, grpc::ClientBidiReactor<Out, In>*),
      const CallOptions& options, Events events) {
    auto call = std::make_shared<Call>(loop, std::move(events));
    internal::Apply(options, call->context());
    (stub->*method)(&call->context(), call.get());
    call->Begin();
    return std::unique_ptr<ClientStream>(new ClientStream(std::move(call)));
  }
  ~ClientStream() { call_->Abandon(); }
  ClientStream(const ClientStream&) = delete;
  ClientStream& operator=(const ClientStream&) = delete;

  // False: over the high-water mark, wait for on_ready. The message is taken all the same.
  bool Write(Out message) { return call_->Write(std::move(message)); }
  void FinishWriting() { call_->FinishWriting(); }
  // At most one message still comes after PauseReading(true).
  void PauseReading(bool paused) { call_->PauseReading(paused); }
  void Cancel() { call_->Cancel(); }

 private:
  explicit ClientStream(std::shared_ptr<Call> call) : call_(std::move(call)) {}
  const std::shared_ptr<Call> call_;
};

template <typename Request, typename In>
class ClientReader {
  using Call = internal::ReaderCall<Request, In>;

 public:
  using Events = typename Call::Events;

  template <typename Stub, typename Async>
  static std::unique_ptr<ClientReader> Start(
      Loop& loop, Stub* stub,
      void (Async::*method)(grpc::ClientContext*, const Request*, grpc::ClientReadReactor<In>*),
      const Request& request, const CallOptions& options, Events events) {
    auto call = std::make_shared<Call>(loop, request, std::move(events));
    internal::Apply(options, call->context());
    (stub->*method)(&call->context(), &call->request, call.get());
    call->Begin();
    return std::unique_ptr<ClientReader>(new ClientReader(std::move(call)));
  }
  ~ClientReader() { call_->Abandon(); }
  ClientReader(const ClientReader&) = delete;
  ClientReader& operator=(const ClientReader&) = delete;

  void PauseReading(bool paused) { call_->PauseReading(paused); }
  void Cancel() { call_->Cancel(); }

 private:
  explicit ClientReader(std::shared_ptr<Call> call) : call_(std::move(call)) {}
  const std::shared_ptr<Call> call_;
};

}  // namespace capsem::rpc
