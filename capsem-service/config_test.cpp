#include "config.h"

#include <cstdlib>

#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"

namespace capsem::service {
namespace {

StatusOr<Config> Parse(std::vector<std::string> flags) {
  std::vector<char*> argv = {const_cast<char*>("capsem-service")};
  for (std::string& flag : flags) argv.push_back(flag.data());
  return Config::FromArguments(static_cast<int>(argv.size()), argv.data());
}

}  // namespace

TEST_CASE("flags and the environment make the configuration") {
  TempDir home;
  setenv("CAPSEM_HOME", home.path().c_str(), 1);
  const Config plain = VALUE_OF(Parse({}));
  REQUIRE(!plain.foreground);
  REQUIRE(!plain.test_rpcs);
  REQUIRE(plain.ready_fd == -1);
  REQUIRE(plain.dirs.ServiceSocket().starts_with(home.path()));
  REQUIRE(plain.Program("capsem-process").ends_with("/capsem-process"));
  const Config all = VALUE_OF(Parse({"--foreground", "--test-rpcs", "--ready-fd", "3"}));
  REQUIRE(all.foreground);
  REQUIRE(all.test_rpcs);
  REQUIRE(all.ready_fd == 3);
  REQUIRE_FALSE((plain.lift_limits || all.lift_limits));
  REQUIRE(VALUE_OF(Parse({"--lift-limits"})).lift_limits);
}

TEST_CASE("the gateway is there unless it is told off, at any port or at one") {
  TempDir home;
  setenv("CAPSEM_HOME", home.path().c_str(), 1);
  REQUIRE(VALUE_OF(Parse({})).gateway_port == 0);
  REQUIRE(VALUE_OF(Parse({"--gateway", "8080"})).gateway_port == 8080);
  REQUIRE_FALSE(VALUE_OF(Parse({"--gateway", "off"})).gateway_port);
  setenv("CAPSEM_GATEWAY", "off", 1);
  REQUIRE_FALSE(VALUE_OF(Parse({})).gateway_port);
  REQUIRE(VALUE_OF(Parse({"--gateway", "0"})).gateway_port == 0);
  setenv("CAPSEM_GATEWAY", "", 1);
  REQUIRE_CODE(Parse({}), kInvalidArgument);
  unsetenv("CAPSEM_GATEWAY");
}

TEST_CASE("flags that mean nothing are refused with the usage") {
  TempDir home;
  setenv("CAPSEM_HOME", home.path().c_str(), 1);
  for (const auto& flags : std::vector<std::vector<std::string>>{{"--what"},
                                                                 {"x"},
                                                                 {"--ready-fd"},
                                                                 {"--ready-fd", "x"},
                                                                 {"--ready-fd", "1"},
                                                                 {"--gateway"},
                                                                 {"--gateway", "65536"},
                                                                 {"--gateway", "on"}}) {
    const auto config = Parse(flags);
    REQUIRE_CODE(config, kInvalidArgument);
    REQUIRE(Remedy(config.status()).find("--foreground") != std::string::npos);
  }
}

}  // namespace capsem::service
