// One client: requests are read, handed on one at a time, answered in order. Owned by the server;
// loop thread.
//
// A client that closes its end has left: what is done for it is dropped, and with that a command
// that it waits for ends. Heads and bodies have a time limit, so that nobody holds a connection by
// sending slowly.
#pragma once

#include <absl/functional/any_invocable.h>

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

class HttpConnection {
 public:
  // `handler` is borrowed. `on_closed` comes once, from within an event of this: destroy it later.
  HttpConnection(Loop& loop, UniqueFd fd, const HttpHandler& handler,
                 absl::AnyInvocable<void()> on_closed);
  HttpConnection(const HttpConnection&) = delete;
  HttpConnection& operator=(const HttpConnection&) = delete;

 private:
  enum class Step { kReading, kWorking, kClosing, kClosed };

  void OnBytes(std::string_view bytes);
  void ReadRequests();
  bool OnEvent(RequestParser::Event event);
  void OnHead();
  void OnRequest();
  void Respond(HttpResponse response);
  void LimitReading();
  void OnTooSlow();
  void Close();

  const HttpHandler& handler_;
  absl::AnyInvocable<void()> on_closed_;
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
