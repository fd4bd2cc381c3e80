#include "machine_options.h"

#include <catch2/catch.hpp>

#include "base/testing/status_matchers.h"

namespace capsem::cli {
namespace {

const std::vector<Option> kOptions = {kImageOption, kCpusOption, kMemoryOption, kRamOption,
                                      kEnvOption};

StatusOr<v1::CreateSessionRequest> Machine(const std::vector<std::string>& words) {
  return MachineOf(VALUE_OF(Args::Parse(words, kOptions, 0)));
}

}  // namespace

TEST_CASE("nothing given is nothing said: the service has the defaults") {
  const v1::CreateSessionRequest request = VALUE_OF(Machine({}));
  CHECK(request.SerializeAsString().empty());
}

TEST_CASE("memory is given in MiB or in GiB") {
  const std::pair<std::vector<std::string>, uint32_t> table[] = {{{"--memory", "512"}, 512},
                                                                 {{"--ram", "2"}, 2048},
                                                                 {{"--ram", "0.5"}, 512},
                                                                 {{"--ram=1.5"}, 1536}};
  for (const auto& [words, mib] : table) CHECK(VALUE_OF(Machine(words)).memory_mib() == mib);
  for (const std::vector<std::string>& words : {std::vector<std::string>{"--ram", "0"},
                                                {"--ram", "-1"},
                                                {"--ram", "2G"},
                                                {"--ram", "nan"},
                                                {"--memory", "0"},
                                                {"--memory", "1.5"},
                                                {"--memory", "512", "--ram", "1"}}) {
    REQUIRE_CODE(Machine(words), kInvalidArgument);
  }
}

TEST_CASE("cpus 0 is refused, for the API's 0 is the default") {
  REQUIRE_CODE(Machine({"--cpus", "0"}), kInvalidArgument);
  CHECK(VALUE_OF(Machine({"--cpu", "99"})).cpus() == 99);
}

TEST_CASE("variables are K=V; the value may hold anything") {
  v1::CreateSessionRequest request;
  REQUIRE_OK(AddEnvironment(VALUE_OF(Args::Parse({"-e", "A=1=2", "--env", "B="}, kOptions, 0)),
                            *request.mutable_env()));
  REQUIRE(request.env_size() == 2);
  CHECK(request.env(0).key() == "A");
  CHECK(request.env(0).value() == "1=2");
  CHECK(request.env(1).value().empty());
  for (const std::string bad : {"A", "=1", ""}) {
    REQUIRE_CODE(
        AddEnvironment(VALUE_OF(Args::Parse({"-e", bad}, kOptions, 0)), *request.mutable_env()),
        kInvalidArgument);
  }
}

}  // namespace capsem::cli
