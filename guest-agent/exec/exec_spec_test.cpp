#include "exec/exec_spec.h"

#include <algorithm>

#include "base/testing/status_matchers.h"

namespace capsem::agent {
namespace {

using capsem::guest::v1::ExecStart;
using namespace std::string_literals;

ExecStart Command(std::initializer_list<std::string> argv) {
  ExecStart start;
  start.set_exec(7);
  for (const std::string& argument : argv) start.add_argv(argument);
  return start;
}

bool Has(const ExecSpec& spec, const std::string& variable) {
  return std::count(spec.env.begin(), spec.env.end(), variable) == 1;
}

}  // namespace

TEST_CASE("a plain command gets the workspace, a PATH and a home") {
  const ExecSpec spec = VALUE_OF(MakeExecSpec(Command({"ls", "-l"}), {}));
  REQUIRE(spec.id == 7);
  REQUIRE(spec.argv == std::vector<std::string>{"ls", "-l"});
  REQUIRE(spec.cwd == "/workspace");
  REQUIRE(spec.timeout.count() == 0);
  REQUIRE_FALSE(spec.stdin_open);
  REQUIRE(Has(spec, "HOME=/root"));
  REQUIRE(Has(spec, "PATH=" + spec.path));
}

TEST_CASE("the request's environment goes over the session's, and that over ours") {
  ExecStart start = Command({"env"});
  (*start.mutable_env())["A"] = "request";
  (*start.mutable_env())["PATH"] = "/mine";
  const ExecSpec spec =
      VALUE_OF(MakeExecSpec(start, {{"A", "session"}, {"B", "session"}, {"HOME", "/home/me"}}));
  REQUIRE(Has(spec, "A=request"));
  REQUIRE(Has(spec, "B=session"));
  REQUIRE(Has(spec, "HOME=/home/me"));
  REQUIRE(spec.path == "/mine");
}

TEST_CASE("what cannot be executed is refused with a word") {
  struct Case {
    const char* what;
    ExecStart start;
  };
  std::vector<Case> cases;
  cases.push_back({"no argv", {}});
  cases.push_back({"an empty program", Command({""})});
  cases.push_back({"NUL in an argument", Command({"echo", "a\0b"s})});
  cases.push_back({"NUL in the program", Command({"\0"s})});
  cases.push_back({"NUL in cwd", Command({"true"})});
  cases.back().start.set_cwd("/\0"s);
  const std::pair<std::string, std::string> variables[] = {
      {"", "x"}, {"A=B", "x"}, {"A\0"s, "x"}, {"A", "x\0"s}};
  for (const auto& [name, value] : variables) {
    cases.push_back({"a bad variable", Command({"true"})});
    (*cases.back().start.mutable_env())[name] = value;
  }
  for (const Case& c : cases) {
    INFO(c.what);
    REQUIRE_CODE(MakeExecSpec(c.start, {}), kInvalidArgument);
  }
}

TEST_CASE("an empty argument after the program is an argument") {
  REQUIRE(VALUE_OF(MakeExecSpec(Command({"printf", ""}), {})).argv.size() == 2);
}

}  // namespace capsem::agent
