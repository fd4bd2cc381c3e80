#include "base/status.h"

#include <memory>

#include "base/testing/status_matchers.h"

namespace capsem {
namespace {

TEST_CASE("makers format, and describe with the remedy behind") {
  const Status plain = NotFound("no session called {}", "box");
  REQUIRE(plain.code() == StatusCode::kNotFound);
  REQUIRE(Message(plain) == "no session called box");
  REQUIRE(Remedy(plain).empty());
  REQUIRE(Describe(plain) == "NOT_FOUND: no session called box");
  const Status helped = WithRemedy(plain, "see `capsem list`");
  REQUIRE(Remedy(helped) == "see `capsem list`");
  REQUIRE(Message(helped) == Message(plain));
  REQUIRE(Describe(helped) == "NOT_FOUND: no session called box (see `capsem list`)");
  REQUIRE(fmt::format("{}", helped) == Describe(helped));
}

TEST_CASE("Ok stays Ok whatever is said about it") {
  REQUIRE(WithRemedy(OkStatus(), "nothing").ok());
  REQUIRE(Annotate(OkStatus(), "doing {}", 1).ok());
  REQUIRE(Describe(OkStatus()) == "Ok");
}

TEST_CASE("Annotate puts a fact in front and keeps code and remedy") {
  const Status status =
      Annotate(WithRemedy(ResourceExhausted("full"), "free some space"), "booting {}", "box");
  REQUIRE(status.code() == StatusCode::kResourceExhausted);
  REQUIRE(Message(status) == "booting box: full");
  REQUIRE(Remedy(status) == "free some space");
}

TEST_CASE("errno becomes the code that says who must act") {
  struct Case {
    int error;
    StatusCode code;
    bool remedy;
  };
  const auto c = GENERATE(
      Case{ENOENT, StatusCode::kNotFound, false}, Case{EEXIST, StatusCode::kAlreadyExists, false},
      Case{EADDRINUSE, StatusCode::kAlreadyExists, false},
      Case{EACCES, StatusCode::kPermissionDenied, false},
      Case{EROFS, StatusCode::kPermissionDenied, true},
      Case{ENOSPC, StatusCode::kResourceExhausted, true},
      Case{EMFILE, StatusCode::kResourceExhausted, true},
      Case{ENOMEM, StatusCode::kResourceExhausted, true},
      Case{ECONNREFUSED, StatusCode::kUnavailable, false},
      Case{EPIPE, StatusCode::kUnavailable, false}, Case{EAGAIN, StatusCode::kUnavailable, false},
      Case{ETIMEDOUT, StatusCode::kDeadlineExceeded, false},
      Case{EINVAL, StatusCode::kInvalidArgument, false}, Case{EBADF, StatusCode::kInternal, false});
  INFO(c.error);
  errno = c.error;
  const Status status = FromErrno("open {}", "/x");
  REQUIRE(status.code() == c.code);
  REQUIRE(Message(status).substr(0, 9) == "open /x: ");
  REQUIRE(Remedy(status).empty() != c.remedy);
}

StatusOr<std::unique_ptr<int>> Make(bool works) {
  if (!works) return FailedPrecondition("it does not");
  return std::make_unique<int>(7);
}
Status Check(bool works) { return works ? OkStatus() : Internal("broken"); }

TEST_CASE("TRY gives the value, or leaves with the error") {
  int reached = 0;
  const auto use = [&](bool makes, bool checks) -> StatusOr<int> {
    const std::unique_ptr<int> made = TRY(Make(makes));
    ++reached;
    TRY(Check(checks));
    ++reached;
    return *made;
  };
  REQUIRE(VALUE_OF(use(true, true)) == 7);
  REQUIRE(reached == 2);
  REQUIRE_CODE(use(true, false), kInternal);
  REQUIRE(reached == 3);
  REQUIRE_CODE(use(false, true), kFailedPrecondition);
  REQUIRE(reached == 3);
}

}  // namespace
}  // namespace capsem
