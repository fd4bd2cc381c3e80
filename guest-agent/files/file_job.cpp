#include "files/file_job.h"

#include "files/file_server.h"
#include "wire/limits.h"

namespace capsem::agent {
namespace {

// A process that nobody listens to any more leaves as soon as it has looked; one that waits for a
// file system for so long is ended.
constexpr std::chrono::seconds kPatience{10};

// Descriptors of the process, besides /dev/null as 1 and 2.
constexpr int kSocket = 0, kProc = 3, kRoot = 4;

}  // namespace

FileJob::FileJob(ExecServices& services, wire::Mux& mux, wire::ChannelId channel,
                 absl::AnyInvocable<void()> on_over)
    : services_(services),
      mux_(mux),
      channel_(channel),
      on_over_(std::move(on_over)),
      patience_(services.loop) {}

Status FileJob::Start(const FileRoot& root) {
  auto [ours, theirs] = TRY(SocketPair());
  group_ = TRY(services_.groups.Create());
  const int null = services_.environment.null_fd;
  const pid_t pid = TRY(ForkApart(
      "capsem-file", {theirs.get(), null, null, root.proc_fd, root.root_fd}, services_.environment,
      group_->fork_fd(), [] { ServeFileCall(FileTree(kRoot, kProc), kSocket); }));
  group_->OnStarted(pid);
  services_.reaper.Watch(pid, [self = weak_.Get()](int) {
    if (self) self->OnProcessEnd();
  });
  stream_ = std::make_unique<ByteStream>(
      services_.loop, std::move(ours),
      ByteStream::Events{.on_bytes = [this](std::string_view bytes) { OnBytes(bytes); },
                         .on_drained =
                             [this] {
                               full_ = false;
                               OnReadable();
                             },
                         .on_end = [this](const Status&) { OnEnd(); }});
  return OkStatus();
}

void FileJob::OnReadable() {
  while (!full_) {
    const std::string_view bytes = mux_.Readable(channel_).substr(0, wire::kMaxFileData);
    if (bytes.empty()) break;
    if (stream_) full_ = !stream_->Write(bytes);
    mux_.Consume(channel_, bytes.size());
  }
  if (!full_ && stream_ && mux_.Finished(channel_) && !std::exchange(host_finished_, true))
    stream_->FinishWriting();
}

void FileJob::OnBytes(std::string_view bytes) {
  if (waiting_.empty()) bytes.remove_prefix(mux_.Write(channel_, bytes));
  waiting_.append(bytes);
  stream_->PauseReading(!waiting_.empty());
}

void FileJob::OnWritable() {
  waiting_.erase(0, mux_.Write(channel_, waiting_));
  if (!waiting_.empty()) return;
  if (stream_) return stream_->PauseReading(false);
  if (!std::exchange(finished_, true)) mux_.Finish(channel_);
  Settle();
}

void FileJob::OnEnd() {
  stream_ = nullptr;
  full_ = false;
  OnReadable();
  OnWritable();
}

void FileJob::OnReset() {
  finished_ = true;
  waiting_.clear();
  stream_ = nullptr;
  if (!gone_) patience_.Start(kPatience, [this] { group_->Kill(); });
  Settle();
}

void FileJob::OnProcessEnd() {
  group_->OnFirstEnded([self = weak_.Get()] {
    if (!self) return;
    self->patience_.Cancel();
    self->gone_ = true;
    self->Settle();
  });
}

void FileJob::Settle() {
  if (over()) on_over_();
}

}  // namespace capsem::agent
