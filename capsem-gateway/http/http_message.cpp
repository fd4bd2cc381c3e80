// The machine below goes head → body (→ last line) → complete. A head is kept until it is whole,
// scanned byte by byte as it comes, then given to llhttp in one piece; what llhttp found is checked
// before any byte of a body is read. Each request has a fresh llhttp.
#include "http/http_message.h"

#include <fmt/format.h>
#include <llhttp/llhttp.h>

#include <algorithm>
#include <array>

#include "base/planted.h"
#include "base/status.h"
#include "http/head_scan.h"

namespace capsem::gateway {
namespace {

// Those that decide how a request is read or who sent it: a second one has no place.
constexpr std::array<std::string_view, 7> kOnlyOnce = {
    "host",         "content-length", "transfer-encoding", "authorization", "origin",
    "content-type", "expect"};

char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

std::string Lowered(std::string_view text) {
  std::string lowered(text);
  std::ranges::transform(lowered, lowered.begin(), Lower);
  return lowered;
}

std::string_view WithoutSpacesBehind(std::string_view text) {
  return text.substr(0, text.find_last_not_of(" \t") + 1);
}

bool AllDigits(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

// One of the comma-separated words of a header, whatever its case.
bool HasWord(std::string_view value, std::string_view word) {
  while (!value.empty()) {
    const size_t comma = std::min(value.find(','), value.size());
    std::string_view part = WithoutSpacesBehind(value.substr(0, comma));
    part.remove_prefix(std::min(part.find_first_not_of(" \t"), part.size()));
    if (Lowered(part) == word) return true;
    value.remove_prefix(std::min(comma + 1, value.size()));
  }
  return false;
}

}  // namespace

class RequestParser::Machine {
 public:
  explicit Machine(size_t max_body) : max_body_(max_body) {
    llhttp_init(&llhttp_, HTTP_REQUEST, &Settings());
    llhttp_.data = this;
  }
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;

  Event Feed(std::string_view& bytes);
  HttpRequest& request() { return request_; }
  const HttpRefusal& refusal() const { return refusal_; }
  bool idle() const { return head_.empty() && step_ == Step::kHead; }

 private:
  enum class Step { kHead, kBody, kLastLine, kComplete, kRefused };

  static const llhttp_settings_t& Settings();
  static Machine& Of(llhttp_t* llhttp) { return *static_cast<Machine*>(llhttp->data); }

  Event Refuse(int status, std::string why);
  Event FeedHead(std::string_view& bytes);
  Event FeedBody(std::string_view& bytes);
  Event FeedLastLine(std::string_view& bytes);
  Event OnHead();
  bool CheckRequestLine();
  bool CheckHeaders();
  bool CheckFraming();
  int OnBody(std::string_view piece);
  int OnChunkHeader(uint64_t size);

  const size_t max_body_;
  llhttp_t llhttp_{};
  HeadScan scan_;
  Step step_ = Step::kHead;
  bool http_1_0_ = false;
  bool whole_ = false;    // llhttp has seen the end of the message
  size_t last_line_ = 0;  // bytes of the empty line after the last chunk
  std::string head_;
  HttpRequest request_;
  HttpRefusal refusal_;
};

const llhttp_settings_t& RequestParser::Machine::Settings() {
  static const llhttp_settings_t settings = [] {
    llhttp_settings_t made;
    llhttp_settings_init(&made);
    made.on_url = [](llhttp_t* llhttp, const char* at, size_t size) {
      Of(llhttp).request_.target.append(at, size);
      return 0;
    };
    made.on_header_field = [](llhttp_t* llhttp, const char* at, size_t size) {
      Of(llhttp).request_.headers.push_back({Lowered({at, size}), ""});
      return 0;
    };
    made.on_header_value = [](llhttp_t* llhttp, const char* at, size_t size) {
      Of(llhttp).request_.headers.back().value.append(at, size);
      return 0;
    };
    made.on_chunk_extension_name = [](llhttp_t* llhttp, const char*, size_t) {
      Of(llhttp).Refuse(400, "chunk extensions are not taken");
      return static_cast<int>(HPE_USER);
    };
    made.on_chunk_header = [](llhttp_t* llhttp) {
      return Of(llhttp).OnChunkHeader(llhttp->content_length);
    };
    made.on_body = [](llhttp_t* llhttp, const char* at, size_t size) {
      return Of(llhttp).OnBody({at, size});
    };
    // What follows is another request's: it is not for this llhttp.
    made.on_message_complete = [](llhttp_t* llhttp) {
      Of(llhttp).whole_ = true;
      return static_cast<int>(HPE_PAUSED);
    };
    return made;
  }();
  return settings;
}

RequestParser::Event RequestParser::Machine::Refuse(int status, std::string why) {
  // The first reason is the one that is told: llhttp's own error may come after ours.
  if (step_ != Step::kRefused) refusal_ = {status, std::move(why)};
  step_ = Step::kRefused;
  return Event::kRefused;
}

RequestParser::Event RequestParser::Machine::Feed(std::string_view& bytes) {
  switch (step_) {
    case Step::kHead: return FeedHead(bytes);
    case Step::kBody: return FeedBody(bytes);
    case Step::kLastLine: return FeedLastLine(bytes);
    case Step::kComplete: return Event::kRequest;
    case Step::kRefused: break;
  }
  return Event::kRefused;
}

RequestParser::Event RequestParser::Machine::FeedHead(std::string_view& bytes) {
  for (size_t taken = 0; taken < bytes.size(); ++taken) {
    const HeadScan::Verdict verdict = scan_.Take(bytes[taken]);
    if (verdict == HeadScan::Verdict::kBad) return Refuse(400, scan_.why());
    if (head_.size() == kMaxHead) {
      return Refuse(431, fmt::format("the head is longer than {} bytes", kMaxHead));
    }
    head_ += bytes[taken];
    if (verdict == HeadScan::Verdict::kMore) continue;
    // Planted 2: nothing comes together with the end of a head.
    bytes.remove_prefix(PLANTED(2) ? bytes.size() : taken + 1);
    return OnHead();
  }
  bytes = {};
  return Event::kMore;
}

RequestParser::Event RequestParser::Machine::OnHead() {
  if (!CheckRequestLine()) return Event::kRefused;
  const llhttp_errno_t error = llhttp_execute(&llhttp_, head_.data(), head_.size());
  if (error != HPE_OK && !(error == HPE_PAUSED && whole_)) {
    return Refuse(400, fmt::format("the head is not well-formed: {}", llhttp_errno_name(error)));
  }
  if (!CheckHeaders() || !CheckFraming()) return Event::kRefused;
  step_ = whole_ ? Step::kComplete : Step::kBody;
  return Event::kHead;
}

// "METHOD SP target SP HTTP/1.1": one space each, and a target of origin-form.
bool RequestParser::Machine::CheckRequestLine() {
  const std::string_view line = std::string_view(head_).substr(0, head_.find('\r'));
  const size_t first = line.find(' ');
  const size_t last = line.rfind(' ');
  if (first == std::string_view::npos || std::ranges::count(line, ' ') != 2 || first == 0 ||
      first + 1 == last) {
    Refuse(400, "the request line is not METHOD TARGET VERSION");
    return false;
  }
  const std::string_view version = line.substr(last + 1);
  if (version != "HTTP/1.1" && version != "HTTP/1.0") {
    const bool other = version.starts_with("HTTP/") && version.size() == 8;
    Refuse(other ? 505 : 400, "only HTTP/1.1 and HTTP/1.0 are spoken here");
    return false;
  }
  const std::string_view target = line.substr(first + 1, last - first - 1);
  if (target.size() > kMaxTarget) {
    Refuse(414, fmt::format("the target is longer than {} bytes", kMaxTarget));
    return false;
  }
  // Planted 1: of any form.
  if ((target[0] != '/' && !PLANTED(1)) || target.find('#') != std::string_view::npos) {
    Refuse(400, "the target does not begin with /, or has a fragment");
    return false;
  }
  request_.method = line.substr(0, first);
  http_1_0_ = version == "HTTP/1.0";
  request_.keep_alive = !http_1_0_;
  return true;
}

bool RequestParser::Machine::CheckHeaders() {
  if (request_.headers.size() > kMaxHeaders) {
    Refuse(431, fmt::format("there are more than {} headers", kMaxHeaders));
    return false;
  }
  for (const std::string_view name : kOnlyOnce) {
    if (std::ranges::count(request_.headers, name, &HttpHeader::name) <= 1) continue;
    Refuse(400, fmt::format("{} comes twice", name));
    return false;
  }
  if (request_.Find("host") == nullptr) {
    Refuse(400, "there is no Host");
    return false;
  }
  if (request_.method == "CONNECT" || request_.Find("upgrade") != nullptr) {
    Refuse(400, "no other protocol is spoken here");
    return false;
  }
  for (const HttpHeader& header : request_.headers) {
    if (header.name == "connection" && HasWord(header.value, "close")) request_.keep_alive = false;
  }
  if (const std::string* expect = request_.Find("expect")) {
    request_.expects_continue = Lowered(WithoutSpacesBehind(*expect)) == "100-continue";
    if (!request_.expects_continue) Refuse(417, "Expect may be 100-continue, nothing else");
  }
  return step_ != Step::kRefused;
}

// How long the body is, said in exactly one way.
bool RequestParser::Machine::CheckFraming() {
  const std::string* length = request_.Find("content-length");
  const std::string* encoding = request_.Find("transfer-encoding");
  if (length != nullptr && encoding != nullptr) {
    Refuse(400, "Content-Length and Transfer-Encoding exclude each other");
  } else if (encoding != nullptr && Lowered(WithoutSpacesBehind(*encoding)) != "chunked") {
    Refuse(400, "Transfer-Encoding may be chunked, nothing else");
  } else if (encoding != nullptr && http_1_0_) {
    Refuse(400, "HTTP/1.0 has no Transfer-Encoding");
  } else if (length != nullptr) {
    const std::string_view digits = WithoutSpacesBehind(*length);
    if (!AllDigits(digits) || digits.size() > 18) {
      Refuse(400, "Content-Length is no number of bytes");
    } else if (std::stoull(std::string(digits)) > max_body_) {
      Refuse(413, fmt::format("a body may have {} bytes", max_body_));
    }
  }
  return step_ != Step::kRefused;
}

RequestParser::Event RequestParser::Machine::FeedBody(std::string_view& bytes) {
  const llhttp_errno_t error = llhttp_execute(&llhttp_, bytes.data(), bytes.size());
  if (step_ == Step::kRefused) return Event::kRefused;
  if (error == HPE_PAUSED) {
    const char* end = llhttp_get_error_pos(&llhttp_);
    bytes.remove_prefix(static_cast<size_t>(end - bytes.data()));
    if (step_ == Step::kLastLine) return FeedLastLine(bytes);
    step_ = Step::kComplete;
    return Event::kRequest;
  }
  if (error != HPE_OK) {
    return Refuse(400, fmt::format("the body is not well-formed: {}", llhttp_errno_name(error)));
  }
  bytes = {};
  return Event::kMore;
}

RequestParser::Event RequestParser::Machine::FeedLastLine(std::string_view& bytes) {
  constexpr std::string_view kLineEnd = "\r\n";
  while (!bytes.empty()) {
    if (bytes[0] != kLineEnd[last_line_]) {
      return Refuse(400, "an empty line follows the last chunk, and no trailers");
    }
    bytes.remove_prefix(1);
    if (++last_line_ < kLineEnd.size()) continue;
    step_ = Step::kComplete;
    return Event::kRequest;
  }
  return Event::kMore;
}

// After the last chunk llhttp would take trailers, and a bare LF as their end: that line is read
// here.
int RequestParser::Machine::OnChunkHeader(uint64_t size) {
  if (size == 0) {
    step_ = Step::kLastLine;
    return HPE_PAUSED;
  }
  if (size <= max_body_ - request_.body.size()) return 0;
  Refuse(413, fmt::format("a body may have {} bytes", max_body_));
  return HPE_USER;
}

int RequestParser::Machine::OnBody(std::string_view piece) {
  ENSURE(piece.size() <= max_body_ - request_.body.size());
  request_.body += piece;
  return 0;
}

const std::string* HttpRequest::Find(std::string_view name) const {
  const auto found = std::ranges::find(headers, name, &HttpHeader::name);
  return found == headers.end() ? nullptr : &found->value;
}

RequestParser::RequestParser(size_t max_body)
    : max_body_(max_body), machine_(std::make_unique<Machine>(max_body)) {}

RequestParser::~RequestParser() = default;

RequestParser::Event RequestParser::Feed(std::string_view& bytes) { return machine_->Feed(bytes); }

const HttpRequest& RequestParser::request() const { return machine_->request(); }

HttpRequest RequestParser::Take() {
  HttpRequest request = std::move(machine_->request());
  machine_ = std::make_unique<Machine>(max_body_);
  return request;
}

const HttpRefusal& RequestParser::refusal() const { return machine_->refusal(); }

bool RequestParser::idle() const { return machine_->idle(); }

}  // namespace capsem::gateway
