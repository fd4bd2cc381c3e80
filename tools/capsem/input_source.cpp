#include "input_source.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

namespace capsem::cli {
namespace {

constexpr size_t kChunk = 64 * 1024;  // a pipe's size

}  // namespace

InputSource::InputSource(Loop& loop, int fd, Events events)
    : loop_(loop), stream_(fd, O_RDONLY), events_(std::move(events)) {
  if (stream_.pollable())
    watch_ = std::make_unique<FdWatch>(loop, stream_.fd(), [this](int) { ReadOne(); });
  Go();
}

void InputSource::Pause(bool paused) {
  paused_ = paused;
  Go();
}

void InputSource::Go() {
  const bool wanted = !paused_ && !ended_;
  if (watch_) return watch_->Want(wanted ? FdWatch::kReadable : FdWatch::kNone);
  if (!wanted || posted_) return;
  posted_ = true;
  loop_.Post([self = weak_.Get()] {
    if (!self) return;
    self->posted_ = false;
    self->ReadOne();
  });
}

void InputSource::ReadOne() {
  if (paused_ || ended_) return;
  char chunk[kChunk];
  const ssize_t count = read(stream_.fd(), chunk, sizeof chunk);
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return Go();
  const auto self = weak_.Get();
  if (count > 0) {
    events_.on_bytes(std::string_view(chunk, static_cast<size_t>(count)));
  } else {
    ended_ = true;
    if (count < 0 && events_.on_error)
      events_.on_error(errno);
    else
      events_.on_end();
  }
  if (self) Go();
}

}  // namespace capsem::cli
