#include "base/turn_end.h"

#include <utility>

#include "base/status.h"

namespace capsem {

// A turn of libuv is: timers, idle, prepare, wait, descriptors, check, closing. What timers ask for
// is done in prepare, what descriptors ask for in check: the loop never waits in between.
struct TurnEnd::Handle {
  uv_prepare_t prepare;
  uv_check_t check;
  Loop::Task task;
  bool asked = false;
  bool closed = false;
  int open_handles = 2;

  void Run() {
    if (closed || !std::exchange(asked, false)) return;
    Loop::Task running = std::move(task);
    running();
    if (!closed) task = std::move(running);
  }
  static void OnClosed(uv_handle_t* handle) {
    auto* self = static_cast<Handle*>(handle->data);
    if (--self->open_handles == 0) delete self;
  }
};

TurnEnd::TurnEnd(Loop& loop, Loop::Task task) : handle_(new Handle) {
  loop.AssertOwned();
  handle_->task = std::move(task);
  handle_->prepare.data = handle_->check.data = handle_;
  ENSURE(uv_prepare_init(loop.uv(), &handle_->prepare) == 0);
  ENSURE(uv_check_init(loop.uv(), &handle_->check) == 0);
  uv_prepare_start(&handle_->prepare,
                   [](uv_prepare_t* handle) { static_cast<Handle*>(handle->data)->Run(); });
  uv_check_start(&handle_->check,
                 [](uv_check_t* handle) { static_cast<Handle*>(handle->data)->Run(); });
}

TurnEnd::~TurnEnd() {
  handle_->closed = true;
  uv_close(reinterpret_cast<uv_handle_t*>(&handle_->prepare), Handle::OnClosed);
  uv_close(reinterpret_cast<uv_handle_t*>(&handle_->check), Handle::OnClosed);
}

void TurnEnd::Ask() { handle_->asked = true; }

}  // namespace capsem
