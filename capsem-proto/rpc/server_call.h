// One streaming call on the server's side, in bytes: what ServerStream and ServerWriter are made
// of. gRPC's threads only post; all state is the loop's. Owned by gRPC until OnDone and by the
// stream object of the loop, so that either may go first.
#pragma once

#include <absl/functional/any_invocable.h>
#include <grpcpp/support/server_callback.h>

#include <deque>
#include <memory>
#include <optional>

#include "base/loop.h"
#include "base/status.h"

namespace capsem::rpc::internal {

class ServerCall : public std::enable_shared_from_this<ServerCall> {
 public:
  static constexpr size_t kHighWater = 1024 * 1024;  // bytes queued and not yet taken by gRPC

  struct Events {
    absl::AnyInvocable<void(grpc::ByteBuffer)> on_message = [](grpc::ByteBuffer) {};
    absl::AnyInvocable<void()> on_inputs_end = [] {};
    absl::AnyInvocable<void()> on_ready;
    absl::AnyInvocable<void(bool cancelled)> on_closed;
  };

  virtual ~ServerCall() = default;

  // ---- from the loop ----
  void Begin(Events events);
  bool Write(grpc::ByteBuffer message);
  void PauseReading(bool paused);
  void Finish(const Status& status);
  void FinishWith(grpc::ByteBuffer last, const Status& status);
  // From on_message: what came is no message, so the call ends with `status`; on_closed(true) is
  // told at once.
  void Fail(const Status& status);
  // The stream object is gone: no more events; an unfinished call ends with INTERNAL.
  void Abandon();

 protected:
  explicit ServerCall(const Loop& loop) : loop_(loop.postbox()) {}

  // gRPC's operations, by the reactor that inherits from this.
  virtual void GrpcRead(grpc::ByteBuffer* message) = 0;
  virtual void GrpcWrite(const grpc::ByteBuffer* message) = 0;
  virtual void GrpcFinish(const grpc::Status& status) = 0;
  // No GrpcWrite's end is told of it, only PostDone.
  virtual void GrpcWriteAndFinish(const grpc::ByteBuffer* last, const grpc::Status& status) = 0;

  // ---- from gRPC's threads ----
  void PostReadDone(bool ok);
  void PostWriteDone(bool ok);
  void PostCancelled();
  void PostDone();
  // The loop hears of the call with the end of its first read: callers send their first message at
  // once, and the message needs no hop of its own then. `begin` gives the call its owner.
  void ReadFirst(Loop::Task begin);

  std::shared_ptr<ServerCall> self_;  // until gRPC's OnDone
  bool reads_ = true;                 // false: the request was the only input

 private:
  void OnReadDone(bool ok);
  void OnWriteDone(bool ok);
  void Close(bool cancelled);
  void ReadNext();
  void WriteNext();

  const std::shared_ptr<Loop::Postbox> loop_;
  std::shared_ptr<Events> events_;  // null before Begin and after Abandon
  grpc::ByteBuffer incoming_;       // gRPC's while `reading_`
  std::deque<grpc::ByteBuffer> queue_;
  size_t queued_bytes_ = 0;
  bool reading_ = false;
  bool begun_ = false;
  Loop::Task first_;           // gRPC's until the first read has ended
  std::optional<bool> early_;  // it ended so, before Begin
  bool writing_ = false;       // the front of `queue_` is gRPC's
  bool paused_ = false;
  bool inputs_ended_ = false;
  bool told_full_ = false;
  bool cancelled_ = false;
  bool close_told_ = false;
  bool finish_sent_ = false;
  std::optional<grpc::Status> finish_;
};

struct WriteCall {
  std::shared_ptr<ServerCall> call;
  grpc::ServerWriteReactor<grpc::ByteBuffer>* reactor;
};
WriteCall NewWriteCall(const Loop& loop);

using BidiReactor = grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>;
// `begin` is called on the loop, with the call, when its first read has ended.
using OnBegin = absl::AnyInvocable<void(std::shared_ptr<ServerCall>)>;
BidiReactor* NewBidiCall(const Loop& loop, OnBegin begin);

}  // namespace capsem::rpc::internal
