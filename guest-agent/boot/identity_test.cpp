#include "boot/identity.h"

#include "base/testing/status_matchers.h"

namespace capsem::agent {
namespace {

capsem::guest::v1::Configure Good() {
  capsem::guest::v1::Configure configure;
  configure.set_hostname("box-1");
  configure.set_machine_id("0123456789abcdef0123456789abcdef");
  configure.set_entropy(std::string(32, 'e'));
  return configure;
}

}  // namespace

TEST_CASE("a whole identity is taken") { REQUIRE_OK(CheckIdentity(Good())); }

TEST_CASE("an identity that would half apply is refused") {
  using Change = void (*)(capsem::guest::v1::Configure&);
  const std::pair<const char*, Change> cases[] = {
      {"no host name", [](auto& c) { c.clear_hostname(); }},
      {"a line in the host name", [](auto& c) { c.set_hostname("a\nb"); }},
      {"a path as host name", [](auto& c) { c.set_hostname("../etc"); }},
      {"a long host name", [](auto& c) { c.set_hostname(std::string(65, 'a')); }},
      {"no machine id", [](auto& c) { c.clear_machine_id(); }},
      {"a short machine id", [](auto& c) { c.set_machine_id("abc"); }},
      {"a machine id that is no hex", [](auto& c) { c.set_machine_id(std::string(32, 'x')); }},
      {"no entropy", [](auto& c) { c.clear_entropy(); }},
      {"too much entropy", [](auto& c) { c.set_entropy(std::string(33, 'e')); }},
  };
  for (const auto& [what, change] : cases) {
    INFO(what);
    auto configure = Good();
    change(configure);
    REQUIRE_CODE(CheckIdentity(configure), kInvalidArgument);
  }
}

}  // namespace capsem::agent
