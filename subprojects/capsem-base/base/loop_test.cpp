#include "base/loop.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>

#include "base/testing/status_matchers.h"
#include "base/testing/test_loop.h"
#include "base/unique_fd.h"

namespace capsem {
namespace {

TEST_CASE("posts of ten threads all run on the loop, each thread's in its order") {
  constexpr size_t kThreads = 10;
  constexpr size_t kPosts = 1000;
  TestLoop loop;
  std::array<std::vector<size_t>, kThreads> seen;
  size_t total = 0;
  std::vector<std::thread> threads;
  for (size_t thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&loop, &seen, &total, thread] {
      for (size_t i = 0; i < kPosts; ++i) {
        loop.Post([&loop, &seen, &total, thread, i] {
          loop.AssertOwned();
          seen[thread].push_back(i);
          ++total;
        });
      }
    });
  }
  REQUIRE(loop.RunUntil([&] { return total == kThreads * kPosts; }));
  for (std::thread& thread : threads) thread.join();
  for (const auto& order : seen) {
    REQUIRE(order.size() == kPosts);
    REQUIRE(std::is_sorted(order.begin(), order.end()));
  }
}

TEST_CASE("what is posted from the loop runs after the current callback, in order") {
  TestLoop loop;
  std::string order;
  loop.Post([&] {
    loop.Post([&] { order += "c"; });
    order += "a";
  });
  loop.Post([&] { order += "b"; });
  REQUIRE(loop.RunUntil([&] { return order.size() == 3; }));
  REQUIRE(order == "abc");
}

TEST_CASE("Run returns after Stop, and may be called again") {
  Loop loop;
  int turns = 0;
  for (int i = 1; i <= 2; ++i) {
    loop.Post([&] {
      ++turns;
      loop.Stop();
    });
    loop.Run();
    REQUIRE(turns == i);
  }
}

TEST_CASE("what is posted when the loop has ended neither runs nor is freed elsewhere") {
  auto loop = std::make_unique<TestLoop>();
  const std::shared_ptr<Loop::Postbox> postbox = loop->postbox();
  const auto left_before = std::make_shared<int>();
  postbox->Post([left_before] {});
  loop = nullptr;
  REQUIRE(left_before.use_count() == 1);

  bool ran = false;
  const auto owned = std::make_shared<int>();
  std::thread([&] { postbox->Post([owned, &ran] { ran = true; }); }).join();
  REQUIRE_FALSE(ran);
  REQUIRE(owned.use_count() == 2);
}

TEST_CASE("blocking work leaves the loop's thread, and its end comes back to it") {
  TestLoop loop;
  std::thread::id worker;
  bool done = false, still_in_call = true;
  loop.RunBlocking([&] { worker = std::this_thread::get_id(); },
                   [&] {
                     loop.AssertOwned();
                     REQUIRE_FALSE(still_in_call);
                     done = true;
                   });
  still_in_call = false;
  REQUIRE(loop.RunUntil([&] { return done; }));
  REQUIRE(worker != std::this_thread::get_id());
}

TEST_CASE("a loop that ends drops what was posted and not run") {
  auto owned = std::make_shared<int>(1);
  bool ran = false;
  {
    Loop loop;
    loop.Post([owned, &ran] { ran = true; });
  }
  REQUIRE_FALSE(ran);
  REQUIRE(owned.use_count() == 1);
}

TEST_CASE("a peer that is gone is an error of write, not the end of the process") {
  Loop loop;
  int fds[2];
  REQUIRE(pipe2(fds, O_CLOEXEC) == 0);
  UniqueFd read_end(fds[0]), write_end(fds[1]);
  read_end.Reset();
  REQUIRE(write(write_end.get(), "x", 1) == -1);
  REQUIRE(errno == EPIPE);
}

TEST_CASE("a call from a stranger's thread ends the process") {
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    signal(SIGABRT, SIG_DFL);  // the test framework's handler
    dup2(open("/dev/null", O_WRONLY | O_CLOEXEC), STDERR_FILENO);
    Loop loop;
    std::thread([&] { loop.AssertOwned(); }).join();
    _exit(0);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  REQUIRE(WIFSIGNALED(status));
  REQUIRE(WTERMSIG(status) == SIGABRT);
}

}  // namespace
}  // namespace capsem
