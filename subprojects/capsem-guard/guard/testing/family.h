// Three generations for tests: the test, a parent that it can end, and the parent's child, which
// runs a function and tells through a pipe. The test adopts the orphan and hears its exit status.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>

#include "base/unique_fd.h"

namespace capsem {

class Family {
 public:
  class Child {
   public:
    Child(pid_t parent_pid, int tell) : parent(parent_pid), tell_(tell) {}
    // One line for Hear.
    void Say(const std::string& line);
    // Returns once the parent is gone.
    void AwaitOrphaned();
    const pid_t parent;

   private:
    const int tell_;
  };

  // What `run` returns is the child's exit status.
  explicit Family(const std::function<int(Child&)>& run);
  ~Family();
  Family(const Family&) = delete;
  Family& operator=(const Family&) = delete;

  // The next line that the child says; "" when it has ended instead.
  std::string Hear();
  // Ends the parent by a signal, or, with 0, by itself, and reaps it.
  void EndParent(int signal);
  // Leaves it a zombie until the test's end.
  void EndParentWithoutReaping();
  pid_t child() const { return child_; }
  pid_t parent() const { return parent_; }
  // Waits for the child's end, then ends the parent; 128 + signal when it ended by one.
  int ChildStatus();

 private:
  pid_t parent_ = 0;
  pid_t child_ = 0;
  UniqueFd told_;
  UniqueFd leave_;  // closed = the parent leaves by itself
};

}  // namespace capsem
