#include "wire/exit_code.h"

#include <catch2/catch.hpp>

namespace capsem::cli {

TEST_CASE("the exit code says who must act") {
  const std::pair<StatusCode, int> table[] = {
      {StatusCode::kInvalidArgument, 2},    {StatusCode::kOutOfRange, 2},
      {StatusCode::kNotFound, 3},           {StatusCode::kAlreadyExists, 3},
      {StatusCode::kFailedPrecondition, 4}, {StatusCode::kResourceExhausted, 5},
      {StatusCode::kUnavailable, 6},        {StatusCode::kDeadlineExceeded, 7},
      {StatusCode::kCancelled, 7},          {StatusCode::kPermissionDenied, 8},
      {StatusCode::kUnauthenticated, 8},    {StatusCode::kInternal, 125},
      {StatusCode::kDataLoss, 125},         {StatusCode::kUnimplemented, 125},
      {StatusCode::kUnknown, 125},          {StatusCode::kAborted, 125},
  };
  for (const auto& [code, exit] : table) {
    CHECK(ExitCode(MakeStatus(code, "x")) == exit);
  }
  CHECK(ExitCode(OkStatus()) == 0);
}

}  // namespace capsem::cli
