// The loop: one per process, on the main thread; it owns all state of the process.
//
// 1. Everything that changes state runs on the loop's thread, one callback at a time. There are no
// locks above this file.
// 2. Other threads (gRPC's, the pool's) may do one thing: Post. Posted work runs in the order of
//    the Post calls. Who cannot know whether the loop still lives keeps its Postbox instead.
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
#include <utility>
#include <vector>

namespace capsem {

class Loop {
 public:
  using Task = absl::AnyInvocable<void()>;

  // Where work for a loop is left, from any thread; it may outlive the loop. What comes after the
  // loop's end never runs, and what it owns is never freed: that could only be done on the loop.
  class Postbox {
   public:
    explicit Postbox(Loop& loop) : loop_(&loop) {}
    void Post(Task task);

   private:
    friend Loop;
    std::vector<Task> Take();
    bool CloseIfEmpty();

    std::mutex mutex_;          // makes the order of the Post calls
    std::vector<Task> posted_;  // guarded by mutex_
    Loop* loop_;                // guarded by mutex_; null: it has ended
  };

  Loop();
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  // Runs callbacks until Stop. May be called again after it.
  void Run();
  // From the loop's thread only; from elsewhere Post it.
  void Stop();
  // From any thread; also from the loop itself, to run after the current callback.
  void Post(Task task) { postbox_->Post(std::move(task)); }
  const std::shared_ptr<Postbox>& postbox() const { return postbox_; }
  // From the loop. `work` must not touch state of the loop.
  void RunBlocking(Task work, Task done);
  // Ends the process when the caller is not on the thread that made the loop.
  void AssertOwned() const;

  uv_loop_t* uv() { return &uv_; }

 private:
  void Wake();  // from any thread
  void RunPosted();

  uv_loop_t uv_;
  uv_async_t wake_;
  uv_idle_t go_on_;  // while it runs, the loop's next turn does not wait
  const std::thread::id owner_ = std::this_thread::get_id();
  const std::shared_ptr<Postbox> postbox_ = std::make_shared<Postbox>(*this);
};

}  // namespace capsem
