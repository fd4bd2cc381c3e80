#include "api/log_stream.h"

#include <utility>

namespace capsem::service {

LogStream::LogStream(Loop& loop, std::unique_ptr<Stream> stream, Spec spec,
                     absl::AnyInvocable<void()> on_over)
    : loop_(loop),
      stream_(std::move(stream)),
      spec_(std::move(spec)),
      on_over_(std::move(on_over)) {
  Stream::Events events;
  events.on_ready = [this] { ReadNext(); };
  events.on_closed = [this](bool) {
    closed_ = true;
    on_over_();
  };
  stream_->Begin(std::move(events));
}

void LogStream::Start() {
  if (spec_.follow) {
    auto news = FileNews::Create(loop_, spec_.path, [this] {
      awaiting_ = false;
      ReadNext();
    });
    if (!news.ok()) return stream_->Finish(news.status());
    news_ = *std::move(news);
  }
  const auto opened = std::make_shared<std::shared_ptr<LogTail>>();
  reading_ = true;
  loop_.RunBlocking(
      [opened, spec = spec_] { *opened = LogTail::Open(spec.path, spec.lines, spec.word); },
      [self = weak_.Get(), opened] {
        if (!self) return;
        self->reading_ = false;
        self->log_ = std::move(*opened);
        self->ReadNext();
      });
}

void LogStream::End() {
  ended_ = true;
  if (std::exchange(awaiting_, false)) ReadNext();
}

void LogStream::ReadNext() {
  if (closed_ || reading_) return;
  if (news_) {
    const Status armed = news_->Arm();
    if (!armed.ok()) return stream_->Finish(armed);
  }
  const auto piece = std::make_shared<StatusOr<LogTail::Piece>>();
  reading_ = true;
  loop_.RunBlocking(
      [log = log_, piece, follow = spec_.follow] {
        *piece = follow ? log->NextOfGrowing() : log->Next();
      },
      [self = weak_.Get(), piece] {
        if (!self) return;
        self->reading_ = false;
        self->OnPiece(std::move(*piece));
      });
}

void LogStream::OnPiece(StatusOr<LogTail::Piece> piece) {
  if (closed_) return;
  if (!piece.ok()) return stream_->Finish(piece.status());
  if (piece->bytes.empty()) return OnEnd();
  capsem::v1::LogChunk chunk;
  chunk.set_data(std::move(piece->bytes));
  chunk.set_dropped(piece->dropped);
  if (stream_->Write(chunk)) ReadNext();
}

// Of what is there by now.
void LogStream::OnEnd() {
  if (!news_ || ended_) return stream_->Finish(OkStatus());
  awaiting_ = true;
  news_->Await();
}

}  // namespace capsem::service
