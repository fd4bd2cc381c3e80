#include "guest/file_run.h"

#include <utility>

#include "capsem/guest/v1/guest.pb.h"
#include "wire/limits.h"

namespace capsem::process {
namespace {

using wire::FrameKind;
using Request = FileAnswer::Request;

capsem::guest::v1::FileRequest ToGuest(const Request& request) {
  capsem::guest::v1::FileRequest guest;
  switch (request.verb_case()) {
    case Request::kRead:
      guest.set_verb(capsem::guest::v1::FILE_VERB_READ);
      guest.set_path(request.read().path());
      break;
    case Request::kWrite:
      guest.set_verb(capsem::guest::v1::FILE_VERB_WRITE);
      guest.set_path(request.write().path());
      if (request.write().has_mode()) guest.set_mode(request.write().mode());
      guest.set_create_only(request.write().create_only());
      break;
    case Request::kStat:
      guest.set_verb(capsem::guest::v1::FILE_VERB_STAT);
      guest.set_path(request.stat().path());
      guest.set_follow(request.stat().follow());
      break;
    case Request::kList:
      guest.set_verb(capsem::guest::v1::FILE_VERB_LIST);
      guest.set_path(request.list().path());
      break;
    case Request::kMkdir:
      guest.set_verb(capsem::guest::v1::FILE_VERB_MKDIR);
      guest.set_path(request.mkdir().path());
      if (request.mkdir().has_mode()) guest.set_mode(request.mkdir().mode());
      guest.set_parents(request.mkdir().parents());
      break;
    case Request::kRename:
      guest.set_verb(capsem::guest::v1::FILE_VERB_RENAME);
      guest.set_path(request.rename().path());
      guest.set_other(request.rename().new_path());
      guest.set_replace(request.rename().replace());
      break;
    case Request::kRemove:
      guest.set_verb(capsem::guest::v1::FILE_VERB_REMOVE);
      guest.set_path(request.remove().path());
      guest.set_recursive(request.remove().recursive());
      break;
    case Request::kSymlink:
      guest.set_verb(capsem::guest::v1::FILE_VERB_SYMLINK);
      guest.set_path(request.symlink().path());
      guest.set_other(request.symlink().target());
      guest.set_replace(request.symlink().replace());
      break;
    case Request::VERB_NOT_SET: break;
  }
  return guest;
}

}  // namespace

FileRun::FileRun(const Request& request, wire::ChannelId channel, MuxGetter mux, FileSink sink)
    : channel_(channel), mux_(std::move(mux)), sink_(std::move(sink)), answer_(request) {
  Send(FrameKind::kFileRequest, ToGuest(request).SerializeAsString());
}

bool FileRun::Write(std::string_view bytes) {
  while (!bytes.empty()) {
    const std::string_view piece = bytes.substr(0, wire::kMaxFileData);
    Send(FrameKind::kFileData, piece);
    bytes.remove_prefix(piece.size());
  }
  writer_waits_ = !output_.empty();
  return !writer_waits_;
}

void FileRun::Commit() { Send(FrameKind::kFileCommit, {}); }

void FileRun::Send(FrameKind kind, std::string_view payload) {
  if (ended_) return;
  const auto header = wire::FrameHeader(kind, payload.size());
  Put({header.data(), header.size()});
  Put(payload);
}

void FileRun::Put(std::string_view bytes) {
  if (output_.empty()) bytes.remove_prefix(mux_().Write(channel_, bytes));
  output_.append(bytes);
}

void FileRun::OnWritable() {
  if (ended_) return;
  output_.erase(0, mux_().Write(channel_, output_));
  if (output_.empty() && std::exchange(writer_waits_, false)) sink_.on_writable();
}

void FileRun::SinkReady() {
  sink_full_ = false;
  OnReadable();
}

void FileRun::OnReadable() {
  // A delivery may call back in here: the loop below sees what it changed.
  if (std::exchange(delivering_, true)) return;
  DeliverAll();
  delivering_ = false;
}

void FileRun::DeliverAll() {
  while (!ended_ && !sink_full_) {
    const auto frame = wire::ParseFrame(mux_().Readable(channel_), wire::kMaxFileMessage);
    if (!frame.ok())
      return Fail(Unavailable("the guest's answer about a file: {}", Message(frame.status())));
    if (frame->has_value()) {
      Deliver(**frame);
    } else if (mux_().Finished(channel_)) {
      return Fail(Unavailable("the guest ended an operation on files without saying how"));
    } else {
      return;
    }
  }
}

void FileRun::Deliver(const wire::Frame& frame) {
  auto event = answer_.OnFrame(frame);
  if (!event.ok()) return Fail(event.status());
  if (event->has_value()) sink_full_ = !sink_.on_event(**std::move(event));
  if (ended_) return;
  mux_().Consume(channel_, frame.size);
  if (!answer_.end()) return;
  mux_().Finish(channel_);
  End(*answer_.end());
}

void FileRun::Cancel() {
  if (std::exchange(ended_, true)) return;
  mux_().Reset(channel_);
}

void FileRun::Fail(Status status) {
  if (ended_) return;
  mux_().Reset(channel_);
  End(std::move(status));
}

void FileRun::End(Status status) {
  ended_ = true;
  output_.clear();
  sink_.on_end(std::move(status));
}

}  // namespace capsem::process
