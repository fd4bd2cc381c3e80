#include "base/log.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <ctime>

#include "base/clock.h"
#include "base/unique_fd.h"

namespace capsem::log {
namespace {

std::string component = "capsem";
std::string session;
Level threshold = Level::kInfo;

// Where the log is kept, and how much of it; 0 = it is not ours to keep.
std::string kept_in;
size_t kept_bytes = 0;
std::atomic_flag turning = ATOMIC_FLAG_INIT;

Status OpenKept() {
  const UniqueFd file(
      open(kept_in.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file.valid()) return FromErrno("open {}", kept_in);
  for (const int stream : {STDOUT_FILENO, STDERR_FILENO}) {
    if (dup2(file.get(), stream) < 0) return FromErrno("log to {}", kept_in);
  }
  return OkStatus();
}

bool IsFull() {
  struct stat info {};
  return fstat(STDERR_FILENO, &info) == 0 && static_cast<size_t>(info.st_size) >= kept_bytes;
}

// Any thread may come here. One of them turns; the others' lines go into the older file meanwhile.
void TurnIfFull() {
  if (kept_bytes == 0 || !IsFull() || turning.test_and_set()) return;
  if (IsFull()) {
    const bool renamed = rename(kept_in.c_str(), (kept_in + ".1").c_str()) == 0;
    if (!renamed || !OpenKept().ok()) {
      [[maybe_unused]] const int given_up = ftruncate(STDERR_FILENO, 0);
    }
  }
  turning.clear();
}

std::string_view NameOf(Level level) {
  switch (level) {
    case Level::kDebug: return "debug";
    case Level::kInfo: return "info";
    case Level::kWarning: return "warning";
    case Level::kError: return "error";
  }
  return "?";
}

std::string TimeText() {
  const int64_t millis = Clock::WallMillis();
  const time_t seconds = millis / 1000;
  tm parts{};
  gmtime_r(&seconds, &parts);
  char text[32];
  strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
  return fmt::format("{}.{:03}Z", text, millis % 1000);
}

// Bytes of the UTF-8 sequence that starts `text`; 0 when there is none that is valid.
size_t SequenceLength(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  const size_t length = first < 0x80                    ? 1
                        : first >= 0xC2 && first < 0xE0 ? 2
                        : (first & 0xF0) == 0xE0        ? 3
                        : first >= 0xF0 && first < 0xF5 ? 4
                                                        : 0;
  if (length == 0 || length > text.size()) return 0;
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
  }
  if (first == 0xE0 && byte(1) < 0xA0) return 0;   // overlong
  if (first == 0xED && byte(1) >= 0xA0) return 0;  // surrogates
  if (first == 0xF0 && byte(1) < 0x90) return 0;   // overlong
  if (first == 0xF4 && byte(1) >= 0x90) return 0;  // above U+10FFFF
  return length;
}

}  // namespace

void Configure(std::string_view program, std::string_view session_id) {
  component = program;
  session = session_id;
  const char* level = std::getenv("CAPSEM_LOG");
  if (level != nullptr && std::string_view(level) == "debug") threshold = Level::kDebug;
}

void SetLevel(Level level) { threshold = level; }

Status KeepIn(const std::string& path, size_t max_bytes) {
  kept_in = path;
  TRY(OpenKept());
  kept_bytes = max_bytes;
  return OkStatus();
}

std::string JsonQuote(std::string_view text) {
  std::string quoted = "\"";
  while (!text.empty()) {
    const unsigned char first = static_cast<unsigned char>(text[0]);
    const size_t length = SequenceLength(text);
    if (length == 0) {
      quoted += "\\ufffd";
      text.remove_prefix(1);
      continue;
    }
    if (first == '"' || first == '\\') {
      quoted += '\\';
      quoted += static_cast<char>(first);
    } else if (first == '\n') {
      quoted += "\\n";
    } else if (length == 2 && first == 0xC2 && static_cast<unsigned char>(text[1]) < 0xA0) {
      // The second set of control characters: a terminal may obey them, too.
      quoted += fmt::format("\\u{:04x}", static_cast<unsigned char>(text[1]));
    } else if (first < 0x20 || first == 0x7f) {
      quoted += fmt::format("\\u{:04x}", first);
    } else {
      quoted.append(text.substr(0, length));
    }
    text.remove_prefix(length);
  }
  return quoted + '"';
}

void Write(Level level, std::string_view message, std::initializer_list<Field> fields) {
  if (level < threshold) return;
  std::string line = fmt::format(R"({{"time":"{}","level":"{}","component":"{}")", TimeText(),
                                 NameOf(level), component);
  if (!session.empty()) line += fmt::format(R"(,"session":"{}")", session);
  line += ",\"message\":" + JsonQuote(message);
  for (const Field& field : fields)
    line += "," + JsonQuote(field.key) + ":" + JsonQuote(field.value);
  line += "}\n";
  TurnIfFull();
  // One write, so that lines of several threads and processes do not mix.
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace capsem::log
