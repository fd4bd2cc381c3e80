#include "http/http_connection.h"

#include <utility>

namespace capsem::gateway {
namespace {

// Between two requests, and for a client that takes its answer slowly.
constexpr std::chrono::seconds kIdle{60};
// From the first byte of a head to its last.
constexpr std::chrono::seconds kHeadLimit{10};
constexpr std::chrono::seconds kBodyLimit{60};
// From our last byte to the client's end: closing while it still sends would take our answer away
// from it (a reset discards what it has not read).
constexpr std::chrono::seconds kFarewell{10};
// What may wait of the next requests while one is worked on.
constexpr size_t kMaxPending = 64 * 1024;

}  // namespace

HttpConnection::HttpConnection(Loop& loop, UniqueFd fd, const HttpHandler& handler,
                               absl::AnyInvocable<void()> on_closed)
    : handler_(handler),
      on_closed_(std::move(on_closed)),
      limit_(loop),
      stream_(loop, std::move(fd),
              {.on_bytes = [this](std::string_view bytes) { OnBytes(bytes); },
               .on_drained = [] {},
               .on_end = [this](const Status&) { Close(); }}) {
  LimitReading();
}

void HttpConnection::OnBytes(std::string_view bytes) {
  if (step_ == Step::kClosing || step_ == Step::kClosed) return;
  const bool first = pending_.empty() && parser_.idle();
  pending_ += bytes;
  if (step_ == Step::kWorking) return stream_.PauseReading(pending_.size() > kMaxPending);
  if (first) limit_.Start(kHeadLimit, [this] { OnTooSlow(); });
  ReadRequests();
}

void HttpConnection::ReadRequests() {
  std::string_view rest = pending_;
  while (OnEvent(parser_.Feed(rest))) {
  }
  pending_.erase(0, pending_.size() - rest.size());
}

// Whether there may be another event in the bytes that are here.
bool HttpConnection::OnEvent(RequestParser::Event event) {
  switch (event) {
    case RequestParser::Event::kMore: return false;
    case RequestParser::Event::kHead: OnHead(); break;
    case RequestParser::Event::kRequest: OnRequest(); break;
    case RequestParser::Event::kRefused: {
      HttpResponse response = ErrorResponse(parser_.refusal().status, parser_.refusal().why);
      response.close = true;
      Respond(std::move(response));
      break;
    }
  }
  return step_ == Step::kReading;
}

void HttpConnection::OnHead() {
  has_head_ = true;
  keep_alive_ = parser_.request().keep_alive;
  early_ = handler_.on_head(parser_.request());
  std::string_view none;
  if (parser_.Feed(none) == RequestParser::Event::kRequest) return;
  if (early_) {
    // Its body is not for us, and neither is what follows.
    early_->close = true;
    return Respond(*std::exchange(early_, std::nullopt));
  }
  if (parser_.request().expects_continue) stream_.Write(PrintResponse({.status = 100}));
  LimitReading();
}

void HttpConnection::OnRequest() {
  HttpRequest request = parser_.Take();
  has_head_ = false;
  if (early_) return Respond(*std::exchange(early_, std::nullopt));
  step_ = Step::kWorking;
  limit_.Cancel();
  work_ = handler_.on_request(std::move(request), [self = weak_.Get()](HttpResponse response) {
    if (!self || self->step_ != Step::kWorking) return;
    // It may be running just now: it goes when this call has returned.
    const HttpHandler::Work done = std::move(self->work_);
    self->step_ = Step::kReading;
    self->Respond(std::move(response));
    if (self->step_ != Step::kReading) return;
    self->stream_.PauseReading(false);
    self->ReadRequests();
  });
}

void HttpConnection::Respond(HttpResponse response) {
  response.close = response.close || !keep_alive_;
  stream_.Write(PrintResponse(response));
  if (!response.close) return LimitReading();
  step_ = Step::kClosing;
  stream_.PauseReading(false);
  stream_.FinishWriting();
  limit_.Start(stream_.buffered() > 0 ? kIdle : kFarewell, [this] { Close(); });
}

void HttpConnection::LimitReading() {
  if (has_head_) {
    limit_.Start(kBodyLimit, [this] { OnTooSlow(); });
  } else if (parser_.idle()) {
    limit_.Start(kIdle, [this] { Close(); });
  }
}

void HttpConnection::OnTooSlow() {
  HttpResponse response = ErrorResponse(408, "the request did not come in time");
  response.close = true;
  Respond(std::move(response));
}

void HttpConnection::Close() {
  if (std::exchange(step_, Step::kClosed) == Step::kClosed) return;
  limit_.Cancel();
  stream_.PauseReading(true);
  work_ = nullptr;
  auto on_closed = std::move(on_closed_);
  on_closed();
}

}  // namespace capsem::gateway
