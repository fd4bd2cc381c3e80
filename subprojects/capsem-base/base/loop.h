// The loop: one per process, on the main thread; it owns all state of the process.
//
// 1. Everything that changes state runs on the loop's thread, one callback at a time. There are no
// locks above this file.
// 2. Other threads (gRPC's, the pool's) may do one thing: Post. Posted work runs in the order of
// the Post calls.
//    The queue's mutex makes that order; uv_async_send only wakes the loop, and what the loop posts
//    to itself costs no system call.
// 3. Work that blocks goes through RunBlocking: `work` on a pool thread, then `done` on the loop.
// 4. Run returns after Stop, when the callback that called it has ended.
// 5. In single-threaded programs (the guest agent) RunBlocking is never called, and no thread is
// ever made.
#pragma once

#include <absl/functional/any_invocable.h>
#include <uv.h>

#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace capsem {

class Loop {
 public:
  using Task = absl::AnyInvocable<void()>;

  Loop();
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  // Runs callbacks until Stop. May be called again after it.
  void Run();
  // From the loop's thread only; from elsewhere Post it.
  void Stop();
  // From any thread; also from the loop itself, to run after the current callback.
  void Post(Task task);
  // From the loop. `work` must not touch state of the loop.
  void RunBlocking(Task work, Task done);
  // Ends the process when the caller is not on the thread that made the loop.
  void AssertOwned() const;

  uv_loop_t* uv() { return &uv_; }

 private:
  void RunPosted();

  uv_loop_t uv_;
  uv_async_t wake_;
  uv_idle_t go_on_;  // while it runs, the loop's next turn does not wait
  const std::thread::id owner_ = std::this_thread::get_id();
  std::mutex mutex_;
  std::vector<Task> posted_;  // guarded by mutex_
};

}  // namespace capsem
