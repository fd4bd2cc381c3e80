#include "routes/http_status.h"

#include <vector>

#include "base/testing/status_matchers.h"

namespace capsem::gateway {

TEST_CASE("every error has its number, its sentence and what helps") {
  struct Case {
    Status status;
    int number;
  };
  const std::vector<Case> cases = {
      {InvalidArgument("x"), 400},    {OutOfRange("x"), 400},        {Unauthenticated("x"), 403},
      {PermissionDenied("x"), 403},   {NotFound("x"), 404},          {AlreadyExists("x"), 409},
      {FailedPrecondition("x"), 409}, {ResourceExhausted("x"), 429}, {Unimplemented("x"), 501},
      {Unavailable("x"), 503},        {Cancelled("x"), 503},         {DeadlineExceeded("x"), 504},
      {Internal("x"), 500},           {DataLoss("x"), 500},
  };
  for (const Case& c : cases) {
    INFO(Describe(c.status));
    REQUIRE(ResponseOf(c.status).status == c.number);
  }
  REQUIRE(ResponseOf(WithRemedy(NotFound("no box"), "see /list")).body ==
          "{\"error\":\"no box\",\"remedy\":\"see /list\"}\n");
}

}  // namespace capsem::gateway
