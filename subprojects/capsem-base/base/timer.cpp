#include "base/timer.h"

#include "base/status.h"

namespace capsem {

struct Timer::Handle {
  uv_timer_t timer;
  Loop::Task task;
  bool closed = false;
};

Timer::Timer(Loop& loop) : handle_(new Handle) {
  loop.AssertOwned();
  ENSURE(uv_timer_init(loop.uv(), &handle_->timer) == 0);
  handle_->timer.data = handle_;
}

Timer::~Timer() {
  handle_->closed = true;
  uv_close(reinterpret_cast<uv_handle_t*>(&handle_->timer),
           [](uv_handle_t* handle) { delete static_cast<Handle*>(handle->data); });
}

namespace {
template <typename Handle>
void Fire(uv_timer_t* timer) {
  auto* handle = static_cast<Handle*>(timer->data);
  // The task may destroy the Timer or plan another task: it runs from here, not from the handle.
  Loop::Task task = std::move(handle->task);
  handle->task = nullptr;
  task();
  const bool repeats = !handle->closed && uv_timer_get_repeat(timer) != 0 &&
                       uv_is_active(reinterpret_cast<uv_handle_t*>(timer)) != 0;
  if (repeats && handle->task == nullptr) handle->task = std::move(task);
}
}  // namespace

void Timer::Start(std::chrono::milliseconds delay, Loop::Task task) {
  handle_->task = std::move(task);
  uv_update_time(handle_->timer.loop);
  ENSURE(uv_timer_start(&handle_->timer, Fire<Handle>,
                        static_cast<uint64_t>(std::max<int64_t>(0, delay.count())), 0) == 0);
}

void Timer::StartRepeating(std::chrono::milliseconds period, Loop::Task task) {
  handle_->task = std::move(task);
  const auto count = static_cast<uint64_t>(std::max<int64_t>(1, period.count()));
  uv_update_time(handle_->timer.loop);
  ENSURE(uv_timer_start(&handle_->timer, Fire<Handle>, count, count) == 0);
}

void Timer::Cancel() {
  uv_timer_stop(&handle_->timer);
  handle_->task = nullptr;
}

bool Timer::active() const {
  return uv_is_active(reinterpret_cast<const uv_handle_t*>(&handle_->timer)) != 0;
}

}  // namespace capsem
