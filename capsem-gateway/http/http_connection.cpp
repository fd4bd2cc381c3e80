#include "http/http_connection.h"

#include <utility>

namespace capsem::gateway {
namespace {

// What may wait of the next requests while one is worked on.
constexpr size_t kMaxPending = 64 * 1024;

}  // namespace

HttpConnection::HttpConnection(Loop& loop, UniqueFd fd, const HttpHandler& handler,
                               const HttpLimits& limits, Events events)
    : handler_(handler),
      limits_(limits),
      events_(std::move(events)),
      limit_(loop),
      stream_(loop, std::move(fd),
              {.on_bytes = [this](std::string_view bytes) { OnBytes(bytes); },
               .on_drained = [] {},
               .on_end = [this](const Status&) { Close(); }}) {
  LimitReading();
}

void HttpConnection::OnBytes(std::string_view bytes) {
  if (step_ == Step::kClosing || step_ == Step::kClosed) return;
  pending_ += bytes;
  if (step_ == Step::kWorking) return stream_.PauseReading(pending_.size() > kMaxPending);
  ReadRequests();
}

void HttpConnection::ReadRequests() {
  std::string_view rest = pending_;
  while (OnEvent(parser_.Feed(rest))) {
  }
  pending_.erase(0, pending_.size() - rest.size());
  LimitReading();
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
  if (!early_) admitted_ = true;
  if (parser_.Feed(none) == RequestParser::Event::kRequest) return;
  if (early_) {
    // Its body is not for us, and neither is what follows.
    early_->close = true;
    return Respond(*std::exchange(early_, std::nullopt));
  }
  if (parser_.request().expects_continue) stream_.Write(PrintResponse({.status = 100}));
}

void HttpConnection::OnRequest() {
  HttpRequest request = parser_.Take();
  has_head_ = false;
  wait_ = Wait::kNothing;
  if (early_) return Respond(*std::exchange(early_, std::nullopt));
  step_ = Step::kWorking;
  limit_.Cancel();
  // A reply that is heard may go, with what it has captured, while OnReply still runs.
  work_ = handler_.on_request(std::move(request), [self = weak_.Get()](HttpResponse response) {
    if (self) self->OnReply(std::move(response));
  });
}

void HttpConnection::OnReply(HttpResponse response) {
  if (step_ != Step::kWorking) return;
  // It may be running just now: it goes when this call has returned.
  const HttpHandler::Work done = std::move(work_);
  step_ = Step::kReading;
  Respond(std::move(response));
  if (step_ != Step::kReading) return;
  stream_.PauseReading(false);
  ReadRequests();
  if (idle()) events_.on_idle();
}

void HttpConnection::Respond(HttpResponse response) {
  response.close = response.close || !keep_alive_;
  stream_.Write(PrintResponse(response));
  if (!response.close) return;
  step_ = Step::kClosing;
  stream_.PauseReading(false);
  stream_.FinishWriting();
  limit_.Start(stream_.buffered() > 0 ? limits_.idle : limits_.farewell, [this] { Close(); });
}

void HttpConnection::LimitReading() {
  if (step_ != Step::kReading) return;
  const Wait wait = has_head_ ? Wait::kBody : parser_.idle() ? Wait::kRequest : Wait::kHead;
  // More of the same is no new beginning.
  if (std::exchange(wait_, wait) == wait) return;
  switch (wait) {
    case Wait::kNothing: break;
    case Wait::kRequest: return limit_.Start(limits_.idle, [this] { Close(); });
    case Wait::kHead: return limit_.Start(limits_.head, [this] { OnTooSlow(); });
    case Wait::kBody: return limit_.Start(limits_.body, [this] { OnTooSlow(); });
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
  auto on_closed = std::move(events_.on_closed);
  on_closed();
}

}  // namespace capsem::gateway
