#include "output_sink.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "lost_output.h"

namespace capsem::cli {

OutputSink::OutputSink(Loop& loop, int fd, std::string_view name,
                       absl::AnyInvocable<void()> on_idle)
    : stream_(fd, O_WRONLY), name_(name), on_idle_(std::move(on_idle)) {
  if (!stream_.pollable()) return;
  watch_ = std::make_unique<FdWatch>(loop, stream_.fd(), [this](int) { OnWritable(); });
}

void OutputSink::Write(std::string_view bytes) {
  if (waiting_.empty()) WriteSome(bytes);
  if (!status_.ok()) return;
  waiting_.append(bytes);
  if (watch_ && !waiting_.empty()) watch_->Want(FdWatch::kWritable);
}

void OutputSink::OnWritable() {
  std::string_view rest = waiting_;
  WriteSome(rest);
  waiting_.erase(0, waiting_.size() - rest.size());
  if (!status_.ok()) waiting_.clear();
  if (!waiting_.empty()) return;
  watch_->Want(FdWatch::kNone);
  on_idle_();
}

void OutputSink::WriteSome(std::string_view& bytes) {
  while (!bytes.empty() && status_.ok()) {
    const ssize_t count = write(stream_.fd(), bytes.data(), bytes.size());
    if (count >= 0) {
      bytes.remove_prefix(static_cast<size_t>(count));
    } else if (errno == EAGAIN) {
      return;
    } else if (errno != EINTR) {
      status_ = LostOutput(name_, errno);
    }
  }
}

}  // namespace capsem::cli
