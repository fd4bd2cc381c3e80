// One client: requests are read, handed on one at a time, answered in order. Owned by the server;
// loop thread.
//
// A client that closes its end has left: what is done for it is dropped, and with that a command
// that it waits for ends. Heads and bodies have a time limit from their beginning, so that nobody
// holds a connection by sending slowly.
#pragma once

#include <absl/functional/any_invocable.h>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/byte_stream.h"
#include "base/timer.h"
#include "base/weak.h"
#include "http/http_message.h"
#include "http/http_response.h"

namespace capsem::gateway {

struct HttpHandler {
  using Reply = absl::AnyInvocable<void(HttpResponse)>;
  // What is being done for a request: dropping it ends that, and no reply comes.
  using Work = std::shared_ptr<void>;

  // All but the body is known: an answer, which spares reading the body, or nullopt.
  std::function<std::optional<HttpResponse>(const HttpRequest&)> on_head;
  // The whole request. The reply comes once, from the loop, never from within the call.
  std::function<Work(HttpRequest, Reply)> on_request;
};

struct HttpLimits {
  // Between two requests, and for a client that takes its answer slowly.
  std::chrono::milliseconds idle = std::chrono::seconds(60);
  // From the first byte of a head to its last.
  std::chrono::milliseconds head = std::chrono::seconds(10);
  std::chrono::milliseconds body = std::chrono::seconds(60);
  // From our last byte to the client's end: closing while it still sends would take our answer away
  // from it (a reset discards what it has not read).
  std::chrono::milliseconds farewell = std::chrono::seconds(10);
  // Each may hold a head, and a body or an answer of 10 MiB: the rest waits in the kernel's queue.
  size_t connections = 128;
};

class HttpConnection {
 public:
  // Each from within an event of this, which is to be destroyed later.
  struct Events {
    absl::AnyInvocable<void()> on_idle;    // a request has been answered, and none is at work
    absl::AnyInvocable<void()> on_closed;  // once, the last
  };

  // `handler` and `limits` are borrowed.
  HttpConnection(Loop& loop, UniqueFd fd, const HttpHandler& handler, const HttpLimits& limits,
                 Events events);
  HttpConnection(const HttpConnection&) = delete;
  HttpConnection& operator=(const HttpConnection&) = delete;

  // A request of it has passed on_head: its client is one of ours.
  bool admitted() const { return admitted_; }
  // Nothing of a request has come since the last answer.
  bool idle() const { return step_ == Step::kReading && parser_.idle() && pending_.empty(); }
  bool closed() const { return step_ == Step::kClosed; }
  void Close();

 private:
  enum class Step { kReading, kWorking, kClosing, kClosed };
  enum class Wait { kNothing, kRequest, kHead, kBody };

  void OnBytes(std::string_view bytes);
  void ReadRequests();
  bool OnEvent(RequestParser::Event event);
  void OnHead();
  void OnRequest();
  void OnReply(HttpResponse response);
  void Respond(HttpResponse response);
  void LimitReading();
  void OnTooSlow();

  const HttpHandler& handler_;
  const HttpLimits& limits_;
  Events events_;
  Wait wait_ = Wait::kNothing;  // what `limit_` counts
  bool admitted_ = false;
  Step step_ = Step::kReading;
  RequestParser parser_;
  std::string pending_;                // bytes not yet parsed
  bool has_head_ = false;              // the body is being read
  bool keep_alive_ = true;             // of the request that is being answered
  std::optional<HttpResponse> early_;  // the answer is known, the request has no body to be read
  HttpHandler::Work work_;
  Timer limit_;
  ByteStream stream_;
  WeakOwner<HttpConnection> weak_{this};
};

}  // namespace capsem::gateway
