#include "settings/setting_keys.h"

#include <set>

#include "base/testing/status_matchers.h"
#include "wire/limits.h"

namespace capsem {
namespace {

// `key = value`, as a file says it.
StatusOr<Settings> With(const std::string& line) {
  const auto values = VALUE_OF(ParseToml(line, "f"));
  const SettingKey* key = FindSettingKey(values.at(0).key);
  REQUIRE(key != nullptr);
  Settings settings;
  TRY(key->Store(values[0], settings));
  return settings;
}

}  // namespace

TEST_CASE("every key says what it does, what it may be, and what it is when nobody says") {
  std::set<std::string_view> names;
  for (const SettingKey& key : SettingKeys()) {
    INFO(key.name);
    REQUIRE(names.insert(key.name).second);
    REQUIRE(FindSettingKey(key.name) == &key);
    REQUIRE_FALSE((key.help.empty() || key.applies.empty() || key.standard.empty()));
    REQUIRE_FALSE(key.Range().empty());
    // 0 stands for what depends on the host; anything else is what the struct begins with.
    const std::string text = key.Text(Settings());
    REQUIRE((text == "0" || text == key.standard));
  }
  REQUIRE(FindSettingKey("nothing") == nullptr);
}

TEST_CASE("the defaults are the limits that the API speaks of") {
  const Settings settings;
  REQUIRE(settings.max_running == wire::kMaxRunningSessions);
  REQUIRE(uint64_t{settings.min_free_mib} << 20 == wire::kMinFreeBytes);
  REQUIRE(uint64_t{settings.default_disk_gib} << 30 == wire::kDiskBytes);
  REQUIRE(std::chrono::seconds(settings.orphan_lease_s) == wire::kOrphanLease);
  REQUIRE(size_t{settings.exec_spool_mib} << 20 == wire::kExecSpool);
}

TEST_CASE("a value within its range is taken, for its key alone") {
  struct Case {
    const char* line;
    Settings expected;
  };
  const std::vector<Case> cases = {
      {"max_running = 1", {.max_running = 1}},
      {"max_running = 1000", {.max_running = 1000}},
      {"min_free_mib = 64", {.min_free_mib = 64}},
      {"min_free_mib = 1048576", {.min_free_mib = 1048576}},
      {"require_isolation = \"hardware\"", {.require_isolation = "hardware"}},
      {"require_isolation = 'any'", {}},
      {"orphan_lease_s = 0", {.orphan_lease_s = 0}},
      {"orphan_lease_s = 600", {.orphan_lease_s = 600}},
      {"exec_spool_mib = 4", {.exec_spool_mib = 4}},
      {"exec_spool_mib = 1024", {.exec_spool_mib = 1024}},
      {"default_cpus = 8", {.default_cpus = 8}},
      {"default_memory_mib = 256", {.default_memory_mib = 256}},
      {"default_memory_mib = 16384", {.default_memory_mib = 16384}},
      {"default_disk_gib = 1024", {.default_disk_gib = 1024}},
      {"default_image = \"my-base\"", {.default_image = "my-base"}},
  };
  for (const Case& c : cases) {
    INFO(c.line);
    REQUIRE(VALUE_OF(With(c.line)) == c.expected);
  }
}

TEST_CASE("a value outside its range is refused with the range") {
  struct Case {
    const char* line;
    const char* says;
  };
  const auto c = GENERATE(
      Case{"max_running = 0", "max_running is 0: it must be a whole number from 1 to 1000"},
      Case{"max_running = 1001", "1001"}, Case{"max_running = -1", "-1"},
      Case{"max_running = 4294967297", "4294967297"}, Case{"max_running = \"10\"", "\"10\""},
      Case{"max_running = 1.0", "a number with decimals"}, Case{"max_running = true", "a boolean"},
      Case{"min_free_mib = 63", "64 to 1048576"}, Case{"default_cpus = 9", "from 1 to 8"},
      Case{"orphan_lease_s = 601", "from 0 to 600"}, Case{"exec_spool_mib = 3", "from 4 to 1024"},
      Case{"default_memory_mib = 255", "256 to 16384"}, Case{"default_disk_gib = 0", "1 to 1024"},
      Case{"default_image = ''", "an image's name"},
      Case{"default_image = '../x'", "an image's name"}, Case{"default_image = 1", "image's name"},
      Case{"require_isolation = 'none'", "\"any\" or \"hardware\""},
      Case{"require_isolation = true", "\"any\" or \"hardware\""});
  const Status refused = With(c.line).status();
  REQUIRE_CODE(refused, kInvalidArgument);
  INFO(Message(refused));
  REQUIRE(Message(refused).find(c.says) != std::string_view::npos);
}

}  // namespace capsem
