#include "machine/exit_verdict.h"

#include <csignal>

#include "base/testing/status_matchers.h"

namespace capsem::process {
namespace {

constexpr char kPanic[] =
    "[    1.5] Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000100\r\n"
    "[    1.6] ---[ end Kernel panic - not syncing ]---\r\n[    1.7] Rebooting in 1 seconds..\r\n";

}  // namespace

TEST_CASE("each way to end is told apart") {
  struct Case {
    std::string_view name;
    ExitFacts facts;
    std::string_view console, words;
    bool clean;
    std::string_view reason;
  };
  const auto facts = [](ExitReason process, std::string shutdown, bool panicked, std::string killed,
                        std::string broken) {
    return ExitFacts{
        process, std::move(shutdown), panicked, std::move(killed), std::move(broken), nullptr,
        nullptr};
  };
  const ExitReason left{0, 0};
  const ExitReason killed{0, SIGKILL};
  const Case cases[] = {
      {"power-off", facts(left, "guest-shutdown", false, "", ""), "[ 9.1] reboot: Power down\n", "",
       true, "the guest powered off"},
      {"power-off, then ended because it did not leave",
       facts(killed, "guest-shutdown", false, "", "QEMU did not leave"), "", "", true,
       "the guest powered off"},
      {"panic seen on the console", facts(left, "guest-reset", false, "", ""), kPanic, "", false,
       "the guest panicked: Kernel panic - not syncing"},
      {"panic told by QMP", facts(left, "guest-panic", true, "", ""), "", "", false,
       "the guest panicked"},
      {"panic told by QMP and the console", facts(left, "guest-panic", true, "", ""), kPanic, "",
       false, "the guest panicked: Kernel panic - not syncing"},
      {"restart", facts(left, "guest-reset", false, "", ""), "[ 9.1] reboot: Restarting system\n",
       "", true, "the guest restarted itself"},
      {"triple fault", facts(left, "guest-reset", false, "", ""), "one\ntwo\nthree\n", "", false,
       "the guest's processor was reset without a word of its kernel; the console ended with: "
       "two | three"},
      {"killed by us", facts(killed, "", false, "ended by force", ""), "x\n", "", false,
       "ended by force"},
      {"killed by us on its way out of a panic",
       facts(killed, "guest-reset", false, "QEMU lost the vsock device", ""), kPanic, "", false,
       "the guest panicked: Kernel panic - not syncing"},
      {"killed by somebody", facts(killed, "", false, "", ""), "login:\n", "", false,
       "QEMU ended with signal 9 (Killed); the console ended with: login:"},
      {"an error of QEMU", facts({1, 0}, "", false, "", ""), "",
       "warning\nqemu: could not open the disk\n", false,
       "QEMU ended with exit code 1, saying: qemu: could not open the disk"},
      {"broken QMP", facts(killed, "", false, "", "QEMU's monitor sent garbage"), "", "", false,
       "QEMU's monitor sent garbage"},
      {"a signal", facts(left, "host-signal", false, "", ""), "", "terminating on signal 15\n",
       false, "QEMU was told to end by a signal"},
  };
  for (const Case& c : cases) {
    INFO(c.name);
    TextTail console, words;
    console.Append(c.console);
    words.Append(c.words);
    ExitFacts complete = c.facts;
    complete.console = &console;
    complete.stderr_tail = &words;
    const Machine::Exit exit = Judge(complete);
    INFO(exit.reason);
    REQUIRE(exit.clean == c.clean);
    REQUIRE(exit.restart == (std::string_view(c.name) == "restart"));
    REQUIRE(exit.reason.substr(0, c.reason.size()) == c.reason);
  }
}

}  // namespace capsem::process
