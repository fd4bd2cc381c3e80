// POST /exec/{session}, as JSON: what is asked, and the answer that is gathered from the stream of
// events. Pure.
//
//   {"command": "make test"}                    a line for /bin/sh -c, or
//   {"argv": ["make", "test"]}                  a program and its arguments;
//   "timeout_secs": 30, "cwd": "/workspace", "env": {"KEY": "value"}, "encoding": "base64"
//
//   {"exit_code": 0, "stdout": "…", "stderr": "", "signal": 0, "timed_out": false, "error": "",
//    "duration_us": 1234, "session": "…", "exec": 1}
//
// Output is text: what is no UTF-8 becomes U+FFFD, as in the reference. With "encoding": "base64"
// it is whole.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/status.h"
#include "capsem/v1/execs.pb.h"
#include "http/http_response.h"

namespace capsem::gateway {

// stdout and stderr together, in bytes: the reference's limit.
inline constexpr size_t kMaxOutput = 10 * 1024 * 1024;

struct ExecQuestion {
  capsem::v1::ExecInput input;
  bool base64 = false;
};

// InvalidArgument: no JSON, a key that is not known, a value of another kind. What a command may be
// is decided by the service.
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
