#include "rpc/status_code.h"

#include "base/testing/status_matchers.h"
#include "capsem/v1/common.pb.h"

namespace capsem::rpc {

TEST_CASE("a status survives the way to gRPC and back, with its remedy") {
  const Status status = WithRemedy(NotFound("no session called {}", "x"), "see `capsem list`");
  const Status back = FromGrpc(ToGrpc(status));
  REQUIRE_CODE(back, kNotFound);
  REQUIRE(Message(back) == "no session called x");
  REQUIRE(Remedy(back) == "see `capsem list`");
  REQUIRE_OK(FromGrpc(ToGrpc(OkStatus())));
}

TEST_CASE("the details are a capsem.v1.Error that names the code") {
  v1::Error error;
  REQUIRE(error.ParseFromString(ToGrpc(ResourceExhausted("full")).error_details()));
  REQUIRE(error.code() == "ResourceExhausted");
  REQUIRE(error.cause() == "full");
  REQUIRE(error.remedy().empty());
}

TEST_CASE("an error of gRPC itself keeps its code and text") {
  const Status status = FromGrpc({grpc::StatusCode::UNAVAILABLE, "connection refused"});
  REQUIRE_CODE(status, kUnavailable);
  REQUIRE(Message(status) == "connection refused");
  REQUIRE(Remedy(status).empty());
  REQUIRE(IsGrpcsOwn(status));
  REQUIRE_FALSE(IsGrpcsOwn(FromGrpc(ToGrpc(Unavailable("the machine died")))));
}

TEST_CASE("texts that gRPC could not carry are cleaned") {
  struct Case {
    std::string text, expected;
  };
  const std::vector<Case> cases = {
      {"caf\xc3\xa9", "caf\xc3\xa9"},
      {"bad \xff byte", "bad ? byte"},
      {"cut \xe2\x82", "cut ??"},
      {"overlong \xc0\xaf", "overlong ??"},
      {"surrogate \xed\xa0\x80", "surrogate ???"},
      {std::string(5000, 'x'), std::string(1024, 'x')},
      {std::string(1023, 'x') + "\xc3\xa9", std::string(1023, 'x')},
  };
  for (const Case& c : cases) {
    REQUIRE(ToGrpc(Internal("{}", c.text)).error_message() == c.expected);
  }
}

}  // namespace capsem::rpc
