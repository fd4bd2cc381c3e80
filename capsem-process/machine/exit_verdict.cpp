#include "machine/exit_verdict.h"

#include <algorithm>

namespace capsem::process {
namespace {

constexpr size_t kConsoleLines = 2;

// The console's last lines on one line, or "".
std::string ConsoleEnd(const TextTail& console) {
  std::string lines = console.LastLines(kConsoleLines);
  for (size_t at = lines.find('\n'); at != std::string::npos; at = lines.find('\n', at)) {
    lines.replace(at, 1, " | ");
  }
  return lines.empty() ? "" : fmt::format("; the console ended with: {}", lines);
}

// Kernels print these even when they are told to be quiet.
std::string PanicLine(const TextTail& console) { return console.LineWith("Kernel panic"); }
bool SaidRestart(const TextTail& console) {
  return !console.LineWith("reboot: Restarting system").empty();
}

Machine::Exit JudgeReset(const ExitFacts& facts) {
  if (const std::string panic = PanicLine(*facts.console); !panic.empty()) {
    return {false, fmt::format("the guest panicked: {}", panic)};
  }
  if (SaidRestart(*facts.console)) {
    return {true, "the guest restarted itself", true};
  }
  return {false, fmt::format("the guest's processor was reset without a word of its kernel{}",
                             ConsoleEnd(*facts.console))};
}

}  // namespace

Machine::Exit Judge(const ExitFacts& facts) {
  if (facts.panicked || facts.shutdown == "guest-panic") {
    const std::string panic = PanicLine(*facts.console);
    return {false, panic.empty() ? "the guest panicked" + ConsoleEnd(*facts.console)
                                 : fmt::format("the guest panicked: {}", panic)};
  }
  if (facts.shutdown == "guest-shutdown") return {true, "the guest powered off"};
  if (facts.shutdown == "guest-reset") return JudgeReset(facts);
  if (!facts.killed.empty()) return {false, facts.killed};
  if (!facts.broken.empty()) return {false, facts.broken};
  if (facts.shutdown == "host-signal") return {false, "QEMU was told to end by a signal"};
  const std::string words = facts.stderr_tail->LastLines(1);
  return {false, fmt::format("QEMU ended with {}{}{}", facts.process.ToString(),
                             words.empty() ? "" : fmt::format(", saying: {}", words),
                             ConsoleEnd(*facts.console))};
}

}  // namespace capsem::process
