#include "command_answer.h"

#include "base/testing/status_matchers.h"
#include "output.h"

namespace capsem::cli {
namespace {

v1::ExecEvent Out(std::string bytes) {
  v1::ExecEvent event;
  event.set_stdout(std::move(bytes));
  return event;
}

}  // namespace

TEST_CASE("a command is one document, with its output and its end") {
  CommandAnswer answer;
  v1::ExecEvent event;
  event.mutable_started()->set_session("abcdefghijkl");
  event.mutable_started()->set_exec(7);
  REQUIRE_OK(answer.Add(event));
  REQUIRE_OK(answer.Add(Out("one\n")));
  event.set_stderr("oops\xff");
  REQUIRE_OK(answer.Add(event));
  REQUIRE_OK(answer.Add(Out("two\n")));
  CHECK_FALSE(answer.ToJson());
  event.mutable_exit()->set_code(124);
  event.mutable_exit()->set_timed_out(true);
  event.mutable_exit()->set_duration_us(1234);
  REQUIRE_OK(answer.Add(event));
  const auto json = nlohmann::json::parse(JsonText(*answer.ToJson()));
  CHECK(json == nlohmann::json{{"exit_code", 124},
                               {"stdout", "one\ntwo\n"},
                               {"stderr", "oops\xef\xbf\xbd"},
                               {"signal", 0},
                               {"timed_out", true},
                               {"error", ""},
                               {"duration_us", 1234},
                               {"session", "abcdefghijkl"},
                               {"exec", 7}});
}

TEST_CASE("more output than one document takes is an error that says so") {
  CommandAnswer answer;
  REQUIRE_OK(answer.Add(Out(std::string(CommandAnswer::kMaxOutput, 'x'))));
  REQUIRE_CODE(answer.Add(Out("y")), kResourceExhausted);
}

}  // namespace capsem::cli
