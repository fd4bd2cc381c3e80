#include "session/exec_spec.h"

#include "base/testing/status_matchers.h"
#include "wire/limits.h"

namespace capsem::service {
namespace {

using capsem::v1::ExecStart;

ExecStart Argv(std::initializer_list<std::string> words) {
  ExecStart start;
  for (const std::string& word : words) start.add_argv(word);
  return start;
}

TEST_CASE("commands that can be run") {
  REQUIRE_OK(CheckExec(Argv({"true"})));
  REQUIRE_OK(CheckExec(Argv({"echo", ""})));
  REQUIRE_OK(CheckExec(Argv({"echo", std::string(wire::kMaxArgBytes, 'x')})));
  ExecStart shell;
  shell.set_shell("echo a; echo b");
  shell.set_cwd("/tmp");
  shell.set_timeout_ms(604800000);
  REQUIRE_OK(CheckExec(shell));
  shell.mutable_pty();
  REQUIRE_OK(CheckExec(shell));
  shell.mutable_pty()->set_term("xterm-256color");
  shell.mutable_pty()->mutable_size()->set_rows(65535);
  shell.set_uid(UINT32_MAX - 1);
  REQUIRE_OK(CheckExec(shell));
}

TEST_CASE("commands that can never work are refused with what helps") {
  ExecStart start = Argv({"true"});
  switch (GENERATE(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13)) {
    case 0: start.clear_argv(); break;
    case 1: start = Argv({""}); break;
    case 2: start.set_shell("true"); break;
    case 3: start = Argv({"echo", std::string(1 << 20, 'x')}); break;
    case 4: start = Argv({"echo", std::string("a\0b", 3)}); break;
    case 5:
      for (size_t i = 0; i < wire::kMaxArgs; ++i) start.add_argv("x");
      break;
    case 6:
      for (int i = 0; i < 9; ++i) start.add_argv(std::string(wire::kMaxArgBytes, 'x'));
      break;
    case 7: start.set_cwd("relative"); break;
    case 8: start.set_timeout_ms(604800001); break;
    case 9: start.add_env()->set_key("A=B"); break;
    case 10: start.mutable_pty()->mutable_size()->set_cols(65536); break;
    case 11: start.mutable_pty()->set_term("a b"); break;
    case 12: start.mutable_pty()->set_term(std::string(65, 'x')); break;
    case 13: start.set_uid(UINT32_MAX); break;
  }
  const Status refused = CheckExec(start);
  REQUIRE_CODE(refused, kInvalidArgument);
  REQUIRE_FALSE(Remedy(refused).empty());
}

TEST_CASE("signals are 1 to 64") {
  REQUIRE_OK(CheckSignal(1));
  REQUIRE_OK(CheckSignal(64));
  REQUIRE_CODE(CheckSignal(0), kInvalidArgument);
  REQUIRE_CODE(CheckSignal(65), kInvalidArgument);
}

TEST_CASE("what is neither an id nor a name is refused before anything is looked up") {
  REQUIRE_OK(CheckSessionKey("abcdefghijkl"));
  REQUIRE_OK(CheckSessionKey("box"));
  const Status refused = CheckSessionKey(GENERATE("", "../x", "a b", "a/b"));
  REQUIRE_CODE(refused, kInvalidArgument);
  REQUIRE_FALSE(Remedy(refused).empty());
}

}  // namespace
}  // namespace capsem::service
