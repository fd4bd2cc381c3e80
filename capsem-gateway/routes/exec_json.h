// POST /exec/{session}: what is asked, and the answer that is gathered from the stream of events.
// Pure.
//
// The body is a capsem.v1.ExecStart as JSON, without its session, which the path names. What one
// request and one answer are, and a stream is not, has keys of its own:
//
//   "encoding": "utf-8" (unless told) or "base64": of "stdin" here, and of the output there
//   "stdin": what the command reads, then its end; without it, it reads /dev/null
//   "command": another name of "shell"; "timeout_secs": of "timeout_ms", in seconds
//   "env": {"KEY": "value"}, besides [{"key": "KEY", "value": "value"}]
//
//   {"exit_code": 0, "stdout": "…", "stderr": "", "signal": 0, "timed_out": false, "error": "",
//    "duration_us": 1234, "session": "…", "exec": 1}
//
// As text, output that is no UTF-8 becomes U+FFFD, as in the reference. In base64 it is whole.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "capsem/v1/execs.pb.h"
#include "http/http_response.h"

namespace capsem::gateway {

// stdout and stderr together, in bytes: the reference's limit.
inline constexpr size_t kMaxOutput = 10 * 1024 * 1024;

struct ExecQuestion {
  std::vector<capsem::v1::ExecInput> inputs;  // `start`, then all of its stdin
  bool base64 = false;
};

// InvalidArgument: what is no such body (proto_json.h), and what needs somebody who stays connected
// or comes back: a command that is detached or kept, a stdin that is left open. What a command may
// be is decided by the service.
StatusOr<ExecQuestion> ParseExec(const std::string& session, const std::string& body);

class ExecAnswer {
 public:
  explicit ExecAnswer(bool base64) : base64_(base64) {}

  // False: there is more output than is taken; Finish tells that, too.
  bool Add(const capsem::v1::ExecEvent& event);
  // How the stream ended.
  HttpResponse Finish(const Status& status) const;

 private:
  std::string Text(const std::string& bytes) const;

  const bool base64_;
  bool too_much_ = false;
  std::string stdout_;
  std::string stderr_;
  capsem::v1::ExecStarted started_;
  std::optional<capsem::v1::ExecExit> exit_;
};

}  // namespace capsem::gateway
