#include "session/admission.h"

#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"

#include <fstream>

namespace capsem::service {
namespace {

constexpr uint64_t kGib = uint64_t{1} << 30;

constexpr Candidate kCandidate{.memory_mib = 512, .host = {.kvm = false}};

HostRoom Roomy() {
  return {.disk_free = 9 * kGib,
          .memory_available = 9 * kGib,
          .memory_total = 16 * kGib,
          .running = 0,
          .running_memory_mib = 0};
}

LoadedSettings Configured(const std::string& config, const std::string& corp = {}) {
  TempDir dir;
  const SettingsFiles files{dir / "config.toml", dir / "corp.toml"};
  std::ofstream(files.config) << config;
  std::ofstream(files.corp) << corp;
  return VALUE_OF(LoadSettings(files));
}

}  // namespace

TEST_CASE("a host with room takes one more") {
  HostRoom room = Roomy();
  REQUIRE_OK(Admit(kCandidate, room, Configured("")));
  room = {.disk_free = 2 * kGib,
          .memory_available = kGib / 2,
          .memory_total = 8 * kGib,
          .running = 9,
          .running_memory_mib = 8 * 1024 - 512};
  REQUIRE_OK(Admit(kCandidate, room, Configured("")));
}

TEST_CASE("a host without room says what is short and what helps") {
  struct Case {
    std::string config;
    HostRoom room;
    std::string says, helps;
  };
  const auto with = [](auto member, auto value) {
    HostRoom room = Roomy();
    room.*member = value;
    return room;
  };
  const std::vector<Case> cases = {
      {"", with(&HostRoom::running, size_t{10}), "10 sessions run: the limit is 10",
       "`max_running` in "},
      {"max_running = 2", with(&HostRoom::running, size_t{2}), "the limit is 2", "capsem stop"},
      {"", with(&HostRoom::disk_free, 2 * kGib - 1), "2047 MiB of disk", "`min_free_mib` in "},
      {"min_free_mib = 9217", Roomy(), "9217 MiB are needed", "free some disk"},
      {"", with(&HostRoom::memory_available, kGib / 2 - 1), "511 MiB of memory", "--memory"},
      {"max_running = 1000", with(&HostRoom::running_memory_mib, uint64_t{16 * 1024 - 511}),
       "15873 MiB of this host's 16384 MiB of memory: 512 MiB more", "--memory"},
  };
  for (const Case& c : cases) {
    const Status status = Admit(kCandidate, c.room, Configured(c.config));
    REQUIRE_CODE(status, kResourceExhausted);
    INFO(Describe(status));
    REQUIRE(Message(status).find(c.says) != std::string_view::npos);
    REQUIRE(Remedy(status).find(c.helps) != std::string::npos);
  }
}

TEST_CASE("a limit that the administrator has set says so, and no way around it") {
  HostRoom room = Roomy();
  room.running = 3;
  const Status status = Admit(kCandidate, room, Configured("max_running = 9", "max_running = 3"));
  REQUIRE_CODE(status, kResourceExhausted);
  REQUIRE(Remedy(status).find("/corp.toml:1") != std::string::npos);
  REQUIRE(Remedy(status).find("config.toml") == std::string::npos);
}

TEST_CASE("where hardware isolation is required, an emulated machine is none") {
  const Candidate with_kvm{.memory_mib = 512, .host = {.kvm = true}};
  for (const bool by_corp : {false, true}) {
    const std::string text = "\nrequire_isolation = \"hardware\"";
    const LoadedSettings settings = by_corp ? Configured("", text) : Configured(text);
    REQUIRE_OK(Admit(with_kvm, Roomy(), settings));
    const Status status = Admit(kCandidate, Roomy(), settings);
    REQUIRE_CODE(status, kFailedPrecondition);
    REQUIRE(Message(status).find(by_corp ? "/corp.toml:2 " : "/config.toml:2 ") !=
            std::string_view::npos);
    REQUIRE(Remedy(status).find("capsem status") != std::string::npos);
  }
}

TEST_CASE("this host is measured, and what cannot be measured is plenty") {
  const HostRoom room = MeasureHost("/tmp");
  REQUIRE(room.memory_available > 0);
  REQUIRE(room.memory_total >= room.memory_available);
  REQUIRE(room.memory_total < uint64_t{1} << 50);
  REQUIRE(room.disk_free < uint64_t{1} << 60);
  REQUIRE(MeasureHost("/nowhere/at/all").disk_free > uint64_t{1} << 60);
}

}  // namespace capsem::service
