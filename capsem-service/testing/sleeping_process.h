// A process that sleeps in a folder, under a program's name: what is left of a machine, for tests.
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include "base/testing/status_matchers.h"

namespace capsem::service {

struct SleepingProcess {
  SleepingProcess(const std::string& program, const std::string& folder)
      : pid(Start(program, folder)) {}
  ~SleepingProcess() {
    kill(pid, SIGKILL);
    waitpid(pid, nullptr, 0);
  }
  SleepingProcess(const SleepingProcess&) = delete;
  SleepingProcess& operator=(const SleepingProcess&) = delete;

  bool lives() const {
    siginfo_t info{};
    constexpr int kHow = WEXITED | WNOHANG | WNOWAIT;
    return waitid(P_PID, static_cast<id_t>(pid), &info, kHow) == 0 && info.si_pid == 0;
  }

  const pid_t pid;

 private:
  static pid_t Start(const std::string& program, const std::string& folder) {
    std::filesystem::copy_file("/bin/sleep", program, std::filesystem::copy_options::skip_existing);
    int ready[2];
    REQUIRE(pipe2(ready, O_CLOEXEC) == 0);
    const pid_t pid = fork();
    if (pid == 0) {
      if (chdir(folder.c_str()) == 0) execl(program.c_str(), "sleep", "60", nullptr);
      _exit(1);
    }
    close(ready[1]);
    char nothing = 0;
    REQUIRE(read(ready[0], &nothing, 1) == 0);  // closed by its exec
    close(ready[0]);
    return pid;
  }
};

}  // namespace capsem::service
