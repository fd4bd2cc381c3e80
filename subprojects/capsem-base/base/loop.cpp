#include "base/loop.h"

#include <signal.h>

#include <utility>

#include "base/status.h"

namespace capsem {
namespace {

struct Blocking {
  uv_work_t request;
  Loop::Task work;
  Loop::Task done;
};

}  // namespace

void Loop::Postbox::Post(Task task) {
  const std::lock_guard lock(mutex_);
  if (!loop_) {
    static_cast<void>(std::make_unique<Task>(std::move(task)).release());
    return;
  }
  posted_.push_back(std::move(task));
  // Under the lock: once the task can run, it may be the one that ends the loop.
  loop_->Wake();
}

std::vector<Loop::Task> Loop::Postbox::Take() {
  const std::lock_guard lock(mutex_);
  return std::exchange(posted_, {});
}

bool Loop::Postbox::CloseIfEmpty() {
  const std::lock_guard lock(mutex_);
  if (!posted_.empty()) return false;
  loop_ = nullptr;
  return true;
}

Loop::Loop() {
  // A peer that is gone is an error of the write, told to whoever wrote; Child gives its children
  // the default back.
  signal(SIGPIPE, SIG_IGN);
  ENSURE(uv_loop_init(&uv_) == 0);
  ENSURE(uv_async_init(&uv_, &wake_,
                       [](uv_async_t* wake) { static_cast<Loop*>(wake->data)->RunPosted(); }) == 0);
  ENSURE(uv_idle_init(&uv_, &go_on_) == 0);
  wake_.data = go_on_.data = this;
}

Loop::~Loop() {
  AssertOwned();
  // Tasks that never ran may own objects with handles: those go while the loop can still close
  // them. Their destructors may post again.
  while (!postbox_->CloseIfEmpty()) postbox_->Take().clear();
  uv_close(reinterpret_cast<uv_handle_t*>(&wake_), nullptr);
  uv_close(reinterpret_cast<uv_handle_t*>(&go_on_), nullptr);
  // Objects closed their handles in their destructors; the close callbacks still have to run.
  while (uv_run(&uv_, UV_RUN_NOWAIT) != 0) {
  }
  ENSURE(uv_loop_close(&uv_) == 0);
}

void Loop::Run() {
  AssertOwned();
  uv_run(&uv_, UV_RUN_DEFAULT);
}

void Loop::Stop() {
  AssertOwned();
  uv_stop(&uv_);
}

void Loop::Wake() {
  if (std::this_thread::get_id() != owner_) {
    uv_async_send(&wake_);
    return;
  }
  // Without a system call, for what the loop posts to itself.
  uv_idle_start(&go_on_, [](uv_idle_t* go_on) { static_cast<Loop*>(go_on->data)->RunPosted(); });
}

void Loop::RunPosted() {
  uv_idle_stop(&go_on_);
  for (Task& task : postbox_->Take()) task();
}

void Loop::RunBlocking(Task work, Task done) {
  AssertOwned();
  auto* blocking = new Blocking{{}, std::move(work), std::move(done)};
  blocking->request.data = blocking;
  const int error = uv_queue_work(
      &uv_, &blocking->request,
      [](uv_work_t* request) { static_cast<Blocking*>(request->data)->work(); },
      [](uv_work_t* request, int) {
        const std::unique_ptr<Blocking> owned(static_cast<Blocking*>(request->data));
        owned->done();
      });
  ENSURE(error == 0);
}

void Loop::AssertOwned() const { ENSURE(std::this_thread::get_id() == owner_); }

}  // namespace capsem
