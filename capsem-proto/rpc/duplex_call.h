// A ReadingCall that also writes: a bounded queue, one message at a time with gRPC.
#pragma once

#include <deque>
#include <utility>

#include "rpc/reading_call.h"

namespace capsem::rpc::internal {

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
  bool WriteLast(Out message) {
    finishing_ = true;
    return Write(std::move(message));
  }
  void FinishWriting() {
    finishing_ = true;
    WriteNext();
  }

 private:
  void OnWriteDone(bool ok) override {
    this->loop_->Post([self = this->Shared(), this, ok] { WriteDone(ok); });
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
    if (queue_.size() == 1 && finishing_) {
      writing_ = writes_done_ = true;
      this->StartWriteLast(&queue_.front(), {});
    } else if (!queue_.empty()) {
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

}  // namespace capsem::rpc::internal
