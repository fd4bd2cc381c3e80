#include "exec/exec_output.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <utility>

namespace capsem::agent {

ExecOutput::ExecOutput(Loop& loop, UniqueFd pipe) : pipe_(std::move(pipe)) {
  if (!open()) return;
  watch_ = std::make_unique<FdWatch>(loop, pipe_.get(), [this](int) { OnReadable(); });
  Pause(false);
}

void ExecOutput::OnReadable() {
  // The process that waited for a command has ended.
  if (!on_readable_) return Pause(true);
  on_readable_();
}

void ExecOutput::Pause(bool paused) {
  if (watch_) watch_->Want(paused ? FdWatch::kNone : FdWatch::kReadable);
}

ssize_t ExecOutput::Read(char* bytes, size_t size) { return read(pipe_.get(), bytes, size); }

size_t ExecOutput::Available() const {
  int count = 0;
  if (open()) ioctl(pipe_.get(), FIONREAD, &count);
  return static_cast<size_t>(count);
}

bool ExecOutput::AtEnd() {
  char probe;
  const ssize_t count = Read(&probe, 1);
  return count == 0 || (count < 0 && errno == EIO);  // as a terminal says it
}

UniqueFd ExecOutput::Release() {
  watch_.reset();
  return std::move(pipe_);
}

}  // namespace capsem::agent
