// Streams that the loop serves: ServerStream (both ways) and ServerWriter (a server stream).
//
//   return ServerStream<ExecInput, ExecEvent>::Accept(loop_, [this](auto stream) {
//     stream->Begin({.on_message = ..., .on_inputs_end = ..., .on_ready = ..., .on_closed = ...});
//     ... keep it ...
//   });
//
// - The handler gets the stream on the loop and owns it. Dropping it before Finish ends the call
// with
//   INTERNAL; dropping it after Finish lets what was written go out first. It may be dropped in any
//   of its own events.
// - Events come only from the loop, never from within a call of the stream, none after on_closed.
// - The queue of what was written is bounded by its user: Write says when it is over 1 MiB,
// on_ready
//   when it has come down to half of that. PauseReading stops asking gRPC for messages: HTTP/2's
//   flow control then holds the caller.
// - When the caller goes away, or the server shuts down, the call ends by itself; on_closed tells.
#pragma once

#include <absl/functional/any_invocable.h>
#include <grpcpp/support/server_callback.h>

#include <memory>

#include "base/loop.h"
#include "base/status.h"
#include "rpc/message.h"
#include "rpc/server_call.h"

namespace capsem::rpc {

struct ServerWriterEvents {
  // After Write said no.
  absl::AnyInvocable<void()> on_ready = [] {};
  // Once, and the last event: true when the caller went away first, false when all was sent and
  // finished.
  absl::AnyInvocable<void(bool cancelled)> on_closed = [](bool) {};
};

template <typename Out>
class ServerWriter {
 public:
  using Events = ServerWriterEvents;
  using Handler = absl::AnyInvocable<void(std::unique_ptr<ServerWriter>)>;

  // On a gRPC thread; what the service's method returns. A request that is no `In` is answered
  // here.
  template <typename In, typename RequestHandler>
  static grpc::ServerWriteReactor<grpc::ByteBuffer>* Accept(Loop& loop, const grpc::ByteBuffer* in,
                                                            RequestHandler handler) {
    auto [call, reactor] = internal::NewWriteCall(loop);
    StatusOr<In> request = ParseMessage<In>(*in);
    loop.Post([call = call, request = std::move(request), handler = std::move(handler)]() mutable {
      auto stream = std::make_unique<ServerWriter>(std::move(call));
      if (!request.ok()) return stream->Finish(request.status());
      handler(*request, std::move(stream));
    });
    return reactor;
  }

  explicit ServerWriter(std::shared_ptr<internal::ServerCall> call) : call_(std::move(call)) {}
  ~ServerWriter() { call_->Abandon(); }
  ServerWriter(const ServerWriter&) = delete;
  ServerWriter& operator=(const ServerWriter&) = delete;

  void Begin(Events events) {
    internal::ServerCall::Events raw;
    raw.on_ready = std::move(events.on_ready);
    raw.on_closed = std::move(events.on_closed);
    call_->Begin(std::move(raw));
  }
  // False: over the high-water mark, wait for on_ready. The message is taken all the same.
  bool Write(const Out& message) { return call_->Write(SerializeMessage(message)); }
  // After all that was written. Nothing may be written afterwards.
  void Finish(const Status& status) { call_->Finish(status); }

 private:
  const std::shared_ptr<internal::ServerCall> call_;
};

template <typename In, typename Out>
class ServerStream {
 public:
  struct Events {
    absl::AnyInvocable<void(In)> on_message = [](In) {};
    // The caller will send no more; it still listens.
    absl::AnyInvocable<void()> on_inputs_end = [] {};
    absl::AnyInvocable<void()> on_ready = [] {};
    absl::AnyInvocable<void(bool cancelled)> on_closed = [](bool) {};
  };
  using Handler = absl::AnyInvocable<void(std::unique_ptr<ServerStream>)>;

  // On a gRPC thread; what the service's method returns. The handler comes with the caller's first
  // message, or when there will be none.
  static grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* Accept(Loop& loop,
                                                                             Handler handler) {
    return internal::NewBidiCall(loop, [handler = std::move(handler)](auto call) mutable {
      handler(std::make_unique<ServerStream>(std::move(call)));
    });
  }

  explicit ServerStream(std::shared_ptr<internal::ServerCall> call) : call_(std::move(call)) {}
  ~ServerStream() { call_->Abandon(); }
  ServerStream(const ServerStream&) = delete;
  ServerStream& operator=(const ServerStream&) = delete;

  // Reading starts. May be called again to hand the stream to somebody else, from one of its events
  // too.
  void Begin(Events events) {
    internal::ServerCall::Events raw;
    raw.on_message = [call = call_.get(),
                      on_message = std::move(events.on_message)](grpc::ByteBuffer bytes) mutable {
      StatusOr<In> message = ParseMessage<In>(std::move(bytes));
      if (message.ok()) return on_message(*std::move(message));
      call->Fail(message.status());
    };
    raw.on_inputs_end = std::move(events.on_inputs_end);
    raw.on_ready = std::move(events.on_ready);
    raw.on_closed = std::move(events.on_closed);
    call_->Begin(std::move(raw));
  }
  // False: over the high-water mark, wait for on_ready. The message is taken all the same.
  bool Write(const Out& message) { return call_->Write(SerializeMessage(message)); }
  // At most one message still comes after PauseReading(true).
  void PauseReading(bool paused) { call_->PauseReading(paused); }
  // After all that was written. Nothing may be written afterwards; nothing more is read.
  void Finish(const Status& status) { call_->Finish(status); }
  // The same with a last message: the caller gets both at once, one hop between threads earlier.
  void FinishWith(const Out& last, const Status& status) {
    call_->FinishWith(SerializeMessage(last), status);
  }

 private:
  const std::shared_ptr<internal::ServerCall> call_;
};

}  // namespace capsem::rpc
