#include "base/fd_watch.h"

#include "base/status.h"

namespace capsem {

struct FdWatch::Handle {
  uv_poll_t poll;
  absl::AnyInvocable<void(int)> ready;
  int wanted = 0;
};

void FdWatch::OnPoll(uv_poll_t* poll, int status, int ready) {
  auto* handle = static_cast<Handle*>(poll->data);
  if (status < 0) {
    // An error of the descriptor (a peer that left without reading all): libuv has stopped the
    // poll. Bytes may lie before the error, and the error itself is found by the read that meets
    // it.
    ready = handle->wanted;
    ENSURE(uv_poll_start(poll, handle->wanted, OnPoll) == 0);
  }
  handle->ready(ready & handle->wanted);  // the handle itself lives until libuv's close callback
}

FdWatch::FdWatch(Loop& loop, int fd, absl::AnyInvocable<void(int events)> ready)
    : handle_(new Handle) {
  loop.AssertOwned();
  handle_->ready = std::move(ready);
  ENSURE(uv_poll_init(loop.uv(), &handle_->poll, fd) == 0);
  handle_->poll.data = handle_;
}

FdWatch::~FdWatch() {
  uv_poll_stop(
      &handle_
           ->poll);  // at once: the descriptor may be closed and reused before the close callback
  uv_close(reinterpret_cast<uv_handle_t*>(&handle_->poll),
           [](uv_handle_t* handle) { delete static_cast<Handle*>(handle->data); });
}

void FdWatch::Want(int events) {
  if (handle_->wanted == events) return;
  handle_->wanted = events;
  if (events == 0) {
    uv_poll_stop(&handle_->poll);
    return;
  }
  ENSURE(uv_poll_start(&handle_->poll, events, OnPoll) == 0);
}

}  // namespace capsem
