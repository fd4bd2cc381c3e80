#include "progress.h"

#include <unistd.h>

#include "output.h"

namespace capsem::cli {
namespace {

// As often as eyes follow.
constexpr std::chrono::milliseconds kBetween{100};
// What fits beside the numbers on the narrowest terminal.
constexpr size_t kMaxName = 40;

void Say(int fd, const std::string& text) {
  [[maybe_unused]] const ssize_t written = write(fd, text.data(), text.size());
}

}  // namespace

Progress::Progress(Shown shown, int fd)
    : shown_(shown == Shown::kIfTerminal && isatty(fd) == 1), fd_(fd) {}

Progress::~Progress() {
  if (last_) Say(fd_, "\r\x1b[K");
}

void Progress::Begin(const std::string& name, uint64_t size) {
  name_ = Printable(name);
  if (name_.size() > kMaxName) name_ = "…" + name_.substr(name_.size() - kMaxName);
  size_ = size;
  done_ = 0;
}

void Progress::Add(size_t bytes) {
  done_ += bytes;
  total_ += bytes;
  if (shown_) Show();
}

void Progress::Show() {
  const auto now = Clock::Now();
  if (last_ && now - *last_ < kBetween) return;
  last_ = now;
  const std::string of = size_ >= done_ && size_ > 0 ? " of " + Bytes(size_) : "";
  Say(fd_, fmt::format("\r\x1b[K{}{}  {}", Bytes(done_), of, name_));
}

}  // namespace capsem::cli
