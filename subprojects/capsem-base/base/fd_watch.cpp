#include "base/fd_watch.h"

#include "base/status.h"

namespace capsem {

struct FdWatch::Handle {
  uv_poll_t poll;
  absl::AnyInvocable<void(int)> ready;
  int wanted = 0;
};

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
  const int error =
      uv_poll_start(&handle_->poll, events, [](uv_poll_t* poll, int status, int ready) {
        auto* handle = static_cast<Handle*>(poll->data);
        // An error of poll is found again, with its errno, by the read or write that follows.
        if (status < 0) ready = handle->wanted;
        handle->ready(ready &
                      handle->wanted);  // the handle itself lives until libuv's close callback
      });
  ENSURE(error == 0);
}

}  // namespace capsem
