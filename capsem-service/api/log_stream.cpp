#include "api/log_stream.h"

#include <utility>

namespace capsem::service {

LogStream::LogStream(Loop& loop, std::unique_ptr<Stream> stream, absl::AnyInvocable<void()> on_over)
    : loop_(loop), stream_(std::move(stream)), on_over_(std::move(on_over)) {
  Stream::Events events;
  events.on_ready = [this] { ReadNext(); };
  events.on_closed = [this](bool) {
    closed_ = true;
    on_over_();
  };
  stream_->Begin(std::move(events));
}

void LogStream::Start(std::vector<std::string> files, uint32_t lines) {
  const auto opened = std::make_shared<std::shared_ptr<LogTail>>();
  loop_.RunBlocking(
      [opened, files = std::move(files), lines] { *opened = LogTail::Open(files, lines); },
      [self = weak_.Get(), opened] {
        if (!self) return;
        self->log_ = std::move(*opened);
        self->ReadNext();
      });
}

void LogStream::ReadNext() {
  if (closed_) return;
  const auto piece = std::make_shared<StatusOr<std::string>>();
  loop_.RunBlocking([log = log_, piece] { *piece = log->Next(); },
                    [self = weak_.Get(), piece] {
                      if (self) self->OnPiece(std::move(*piece));
                    });
}

void LogStream::OnPiece(StatusOr<std::string> piece) {
  if (closed_) return;
  if (!piece.ok() || piece->empty()) return stream_->Finish(piece.status());
  capsem::v1::LogChunk chunk;
  chunk.set_data(*std::move(piece));
  if (stream_->Write(chunk)) ReadNext();
}

}  // namespace capsem::service
