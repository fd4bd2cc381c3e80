#include "rpc/server_call.h"

#include <utility>

#include "rpc/status_code.h"

namespace capsem::rpc::internal {
namespace {

class WriteReactor final : public grpc::ServerWriteReactor<grpc::ByteBuffer>, public ServerCall {
 public:
  static WriteCall Create(const Loop& loop) {
    const std::shared_ptr<WriteReactor> call(new WriteReactor(loop));
    call->self_ = call;
    call->reads_ = false;
    return {call, call.get()};
  }

 private:
  explicit WriteReactor(const Loop& loop) : ServerCall(loop) {}
  void GrpcRead(grpc::ByteBuffer*) override {}
  void GrpcWrite(const grpc::ByteBuffer* message) override { StartWrite(message); }
  void GrpcFinish(const grpc::Status& status) override { ServerWriteReactor::Finish(status); }
  void GrpcWriteAndFinish(const grpc::ByteBuffer* last, const grpc::Status& status) override {
    StartWriteAndFinish(last, {}, status);
  }
  void OnWriteDone(bool ok) override { PostWriteDone(ok); }
  void OnCancel() override { PostCancelled(); }
  void OnDone() override { PostDone(); }
};

class BidiServerCall final : public BidiReactor, public ServerCall {
 public:
  static BidiReactor* Create(const Loop& loop, OnBegin begin) {
    const std::shared_ptr<BidiServerCall> call(new BidiServerCall(loop));
    call->self_ = call;
    call->ReadFirst([call = call.get(), begin = std::move(begin)]() mutable {
      begin(call->shared_from_this());
    });
    return call.get();
  }

 private:
  explicit BidiServerCall(const Loop& loop) : ServerCall(loop) {}
  void GrpcRead(grpc::ByteBuffer* message) override { StartRead(message); }
  void GrpcWrite(const grpc::ByteBuffer* message) override { StartWrite(message); }
  void GrpcFinish(const grpc::Status& status) override { BidiReactor::Finish(status); }
  void GrpcWriteAndFinish(const grpc::ByteBuffer* last, const grpc::Status& status) override {
    StartWriteAndFinish(last, {}, status);
  }
  void OnReadDone(bool ok) override { PostReadDone(ok); }
  void OnWriteDone(bool ok) override { PostWriteDone(ok); }
  void OnCancel() override { PostCancelled(); }
  void OnDone() override { PostDone(); }
};

}  // namespace

WriteCall NewWriteCall(const Loop& loop) { return WriteReactor::Create(loop); }
BidiReactor* NewBidiCall(const Loop& loop, OnBegin begin) {
  return BidiServerCall::Create(loop, std::move(begin));
}

void ServerCall::Begin(Events events) {
  events_ = std::make_shared<Events>(std::move(events));
  begun_ = true;
  if (close_told_) return;
  if (cancelled_) {
    // The caller went before the stream was begun: tell it, but not from within this call.
    return loop_->Post([self = shared_from_this()] { self->Close(true); });
  }
  if (early_) {
    loop_->Post([self = shared_from_this()] {
      if (const auto early = std::exchange(self->early_, std::nullopt)) self->OnReadDone(*early);
    });
  }
  ReadNext();
}

bool ServerCall::Write(grpc::ByteBuffer message) {
  ENSURE(!finish_ || cancelled_);
  if (cancelled_) return true;
  queued_bytes_ += message.Length();
  queue_.push_back(std::move(message));
  WriteNext();
  if (queued_bytes_ > kHighWater) told_full_ = true;
  return !told_full_;
}

void ServerCall::PauseReading(bool paused) {
  paused_ = paused;
  ReadNext();
}

void ServerCall::Finish(const Status& status) {
  if (finish_) return;
  finish_ = ToGrpc(status);
  WriteNext();
}

void ServerCall::FinishWith(grpc::ByteBuffer last, const Status& status) {
  if (finish_ || cancelled_) return Finish(status);
  queued_bytes_ += last.Length();
  queue_.push_back(std::move(last));
  Finish(status);
}

void ServerCall::Fail(const Status& status) {
  if (finish_) return;
  finish_ = ToGrpc(status);
  Close(true);
}

void ServerCall::Abandon() {
  events_ = nullptr;
  begun_ = true;
  Finish(Internal("the call was dropped without an answer"));
}

void ServerCall::PostReadDone(bool ok) {
  loop_->Post([self = shared_from_this(), ok, first = std::exchange(first_, nullptr)]() mutable {
    if (first) first();
    self->OnReadDone(ok);
  });
}

void ServerCall::PostWriteDone(bool ok) {
  loop_->Post([self = shared_from_this(), ok] { self->OnWriteDone(ok); });
}

void ServerCall::PostCancelled() {
  loop_->Post([self = shared_from_this()] { self->Close(true); });
}

void ServerCall::PostDone() {
  // gRPC's share ends here; the loop drops what the call still holds.
  loop_->Post([self = std::move(self_)] { self->Close(false); });
}

void ServerCall::ReadFirst(Loop::Task begin) {
  first_ = std::move(begin);
  reading_ = true;
  GrpcRead(&incoming_);
}

void ServerCall::OnReadDone(bool ok) {
  if (!begun_) {
    early_ = ok;
    return;
  }
  reading_ = false;
  grpc::ByteBuffer message;
  message.Swap(&incoming_);
  if (!ok) inputs_ended_ = true;
  if (finish_ || cancelled_ || !events_) return;
  const auto events = events_;  // the event may drop the stream, and with it its own closure
  if (ok) {
    events->on_message(std::move(message));
  } else {
    events->on_inputs_end();
  }
  ReadNext();
}

void ServerCall::OnWriteDone(bool ok) {
  writing_ = false;
  queued_bytes_ -= queue_.front().Length();
  queue_.pop_front();
  if (!ok) Close(true);
  WriteNext();
  if (!told_full_ || queued_bytes_ > kHighWater / 2) return;
  told_full_ = false;
  const auto events = events_;
  if (events && !finish_ && !cancelled_) events->on_ready();
}

void ServerCall::Close(bool cancelled) {
  if (cancelled && !cancelled_) {
    cancelled_ = true;
    if (!finish_) finish_ = ToGrpc(Cancelled("the caller went away"));
    while (queue_.size() > (writing_ ? 1 : 0)) {
      queued_bytes_ -= queue_.back().Length();
      queue_.pop_back();
    }
    WriteNext();
  }
  const auto events = events_;
  if (!events || close_told_) return;
  close_told_ = true;
  events->on_closed(cancelled);
}

void ServerCall::ReadNext() {
  const bool over = finish_ || cancelled_ || inputs_ended_ || !reads_;
  if (over || reading_ || paused_ || !events_) return;
  reading_ = true;
  GrpcRead(&incoming_);
}

void ServerCall::WriteNext() {
  if (writing_ || finish_sent_) return;
  if (queue_.size() == 1 && finish_) {
    writing_ = finish_sent_ = true;
    GrpcWriteAndFinish(&queue_.front(), *finish_);
  } else if (!queue_.empty()) {
    writing_ = true;
    GrpcWrite(&queue_.front());
  } else if (finish_) {
    finish_sent_ = true;
    GrpcFinish(*finish_);
  }
}

}  // namespace capsem::rpc::internal
