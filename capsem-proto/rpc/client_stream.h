// Streams that the loop calls: ClientStream (both ways) and ClientReader (a server stream).
//
//   auto stream = rpc::ClientStream<ExecInput, ExecEvent>::Start(
//       loop, stub->async(), &Execs::StubInterface::async_interface::Exec, {},
//       {.on_message = ..., .on_ready = ..., .on_closed = ...});
//
// - Events come only from the loop, never from within a call. on_closed is the last one and comes
//   once, with the status that the server gave or why the call broke.
// - A stream object may be dropped in any of its own events; dropping it before its end cancels the
//   call, which outlives the object by a moment, and may outlive the loop.
// - A ClientStream reaches the server with its first Write, or with FinishWriting.
// - Back-pressure as in server_stream.h: Write says when over 1 MiB wait, PauseReading stops asking
//   for messages. While reading is paused the end of the call is not heard.
#pragma once

#include <memory>

#include "base/loop.h"
#include "base/status.h"
#include "rpc/call_options.h"
#include "rpc/duplex_call.h"
#include "rpc/reading_call.h"

namespace capsem::rpc {

namespace internal {

template <typename Request, typename In>
class ReaderCall final : public ReadingCall<grpc::ClientReadReactor<In>, In> {
 public:
  using Base = ReadingCall<grpc::ClientReadReactor<In>, In>;
  ReaderCall(Loop& loop, Request sent, typename Base::Events events)
      : Base(loop, std::move(events)), request(std::move(sent)) {}
  const Request request;
};

}  // namespace internal

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
    Apply(options, call->context());
    call->context().set_initial_metadata_corked(true);
    (stub->*method)(&call->context(), call.get());
    call->Begin();
    return std::unique_ptr<ClientStream>(new ClientStream(std::move(call)));
  }
  ~ClientStream() { call_->Abandon(); }
  ClientStream(const ClientStream&) = delete;
  ClientStream& operator=(const ClientStream&) = delete;

  // False: over the high-water mark, wait for on_ready. The message is taken all the same.
  bool Write(Out message) { return call_->Write(std::move(message)); }
  // The same, and nothing after it: the server hears both at once, one hop between threads earlier.
  bool WriteLast(Out message) { return call_->WriteLast(std::move(message)); }
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
    Apply(options, call->context());
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
