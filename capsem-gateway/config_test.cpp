#include "config.h"

#include <vector>

#include "base/testing/status_matchers.h"

namespace capsem::gateway {
namespace {

StatusOr<Config> From(std::vector<std::string> words) {
  std::vector<char*> argv = {const_cast<char*>("capsem-gateway")};
  for (std::string& word : words) argv.push_back(word.data());
  return Config::FromArguments(static_cast<int>(argv.size()), argv.data());
}

}  // namespace

TEST_CASE("flags become the config") {
  const Config config = VALUE_OF(From({"--parent-pid", "77", "--run-dir", "/r", "--log", "/l",
                                       "--port", "65535", "--ready-fd", "3"}));
  REQUIRE(config.parent == 77);
  REQUIRE(config.run_dir == "/r");
  REQUIRE(config.log == "/l");
  REQUIRE(config.port == 65535);
  REQUIRE(config.ready_fd == 3);
}

TEST_CASE("whoever has no parent is no error, so that it can leave in peace") {
  REQUIRE_FALSE(VALUE_OF(From({})).parent);
  for (const char* pid : {"", "0", "1", "-5", "junk", "7x"}) {
    INFO(pid);
    REQUIRE_FALSE(VALUE_OF(From({"--parent-pid", pid})).parent);
  }
}

TEST_CASE("what cannot be meant is an error") {
  const std::vector<std::vector<std::string>> cases = {
      {"--parent-pid", "77"}, {"--run-dir"},      {"--listen", "x"},   {"--port", "65536"},
      {"--port", "-1"},       {"--port", "http"}, {"--ready-fd", "2"},
  };
  for (const auto& words : cases) {
    INFO(words[0]);
    REQUIRE_CODE(From(words), kInvalidArgument);
  }
}

}  // namespace capsem::gateway
