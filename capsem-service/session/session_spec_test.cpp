#include "session/session_spec.h"

#include "base/testing/status_matchers.h"
#include "wire/limits.h"

namespace capsem::service {
namespace {

using capsem::v1::CreateSessionRequest;

TEST_CASE("an empty request gets the defaults of its kind of machine") {
  const SessionSpec hardware = VALUE_OF(CheckCreate({}, Emulation::kHardware, Settings()));
  REQUIRE((hardware.cpus == 2 && hardware.memory_mib == 1024 && hardware.disk_gib == 16));
  REQUIRE(hardware.image == "base");
  REQUIRE_FALSE(hardware.name.has_value());
  const SessionSpec emulated = VALUE_OF(CheckCreate({}, Emulation::kEmulated, Settings()));
  REQUIRE((emulated.cpus == 1 && emulated.memory_mib == 512));
}

TEST_CASE("what is configured goes before the defaults, and what is asked for before that") {
  const Settings settings{.default_cpus = 4,
                          .default_memory_mib = 2048,
                          .default_disk_gib = 3,
                          .default_image = "mine"};
  CreateSessionRequest request;
  SessionSpec spec = VALUE_OF(CheckCreate(request, Emulation::kEmulated, settings));
  REQUIRE(
      (spec.cpus == 4 && spec.memory_mib == 2048 && spec.disk_gib == 3 && spec.image == "mine"));
  request.set_cpus(2);
  request.set_memory_mib(256);
  request.set_disk_gib(1);
  request.set_image("base");
  spec = VALUE_OF(CheckCreate(request, Emulation::kEmulated, settings));
  REQUIRE((spec.cpus == 2 && spec.memory_mib == 256 && spec.disk_gib == 1 && spec.image == "base"));
}

TEST_CASE("what was asked for is taken") {
  CreateSessionRequest request;
  request.set_name("box-1");
  request.set_cpus(8);
  request.set_memory_mib(16384);
  request.set_image("mine");
  const SessionSpec spec = VALUE_OF(CheckCreate(request, Emulation::kEmulated, Settings()));
  REQUIRE(spec.name->text() == "box-1");
  REQUIRE((spec.cpus == 8 && spec.memory_mib == 16384 && spec.image == "mine"));
}

TEST_CASE("sizes out of bounds are refused with the limit and what helps") {
  struct Row {
    uint32_t cpus, memory, disk;
    const char* limit;
  };
  const auto row = GENERATE(Row{9, 0, 0, "8"}, Row{4000000000, 0, 0, "8"}, Row{0, 255, 0, "256"},
                            Row{0, 16385, 0, "16384"}, Row{0, 1000000000, 0, "16384"},
                            Row{0, 0, 1025, "1024"}, Row{0, 0, 4000000000, "1024"});
  CreateSessionRequest request;
  request.set_cpus(row.cpus);
  request.set_memory_mib(row.memory);
  request.set_disk_gib(row.disk);
  const Status refused = CheckCreate(request, Emulation::kEmulated, Settings()).status();
  REQUIRE_CODE(refused, kInvalidArgument);
  REQUIRE(Describe(refused).find(row.limit) != std::string::npos);
  REQUIRE_FALSE(Remedy(refused).empty());
}

TEST_CASE("names that are none are refused") {
  CreateSessionRequest request;
  request.set_name(GENERATE("../x", "a b", "-x", "ü"));
  REQUIRE_CODE(CheckCreate(request, Emulation::kEmulated, Settings()), kInvalidArgument);
}

TEST_CASE("environment variables: what can never work is refused") {
  struct Row {
    std::string key, value;
  };
  const auto row = GENERATE(Row{"", "x"}, Row{"A=B", "x"}, Row{std::string("A\0B", 3), "x"},
                            Row{"A", std::string("x\0y", 3)}, Row{std::string(257, 'K'), "x"},
                            Row{"A", std::string(wire::kMaxEnvBytes, 'x')}, Row{"LD_PRELOAD", "x"},
                            Row{"LD_AUDIT", "x"}, Row{"BASH_ENV", "x"}, Row{"ENV", "x"},
                            Row{"IFS", "x"}, Row{"BASH_FUNC_ls%%", "() { :; }"},
                            Row{"SHELLOPTS", "x"}, Row{"PROMPT_COMMAND", "x"});
  CreateSessionRequest request;
  auto& variable = *request.add_env();
  variable.set_key(row.key);
  variable.set_value(row.value);
  const Status refused = CheckCreate(request, Emulation::kEmulated, Settings()).status();
  REQUIRE_CODE(refused, kInvalidArgument);
  REQUIRE_FALSE(Remedy(refused).empty());
}

TEST_CASE("environment variables: what only looks like one that steers shells is taken") {
  CreateSessionRequest request;
  request.add_env()->set_key(
      GENERATE("LD", "OLD_PATH", "ENVIRONMENT", "MYIFS", "PATH", "ld_preload"));
  REQUIRE_OK(CheckCreate(request, Emulation::kEmulated, Settings()));
}

TEST_CASE("environment variables: too many are refused, the last of two wins") {
  CreateSessionRequest request;
  for (size_t i = 0; i <= wire::kMaxEnvVars; ++i) request.add_env()->set_key("A");
  REQUIRE_CODE(CheckCreate(request, Emulation::kEmulated, Settings()), kInvalidArgument);
  request.mutable_env()->RemoveLast();
  request.mutable_env(255)->set_value("last");
  REQUIRE(VALUE_OF(CheckCreate(request, Emulation::kEmulated, Settings())).env.at("A") == "last");
}

}  // namespace
}  // namespace capsem::service
