#include "settings/settings.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"

namespace capsem {
namespace {

struct Fixture {
  TempDir dir;
  SettingsFiles files{dir / "config.toml", dir / "corp.toml"};

  void Config(const std::string& text) { std::ofstream(files.config) << text; }
  void Corp(const std::string& text) { std::ofstream(files.corp) << text; }
  LoadedSettings Load() { return VALUE_OF(LoadSettings(files)); }
};

}  // namespace

TEST_CASE("without files everything is as it is when nobody says") {
  Fixture f;
  const LoadedSettings settings = f.Load();
  REQUIRE(settings.values == Settings());
  REQUIRE(settings.list.size() == SettingKeys().size());
  for (const Setting& setting : settings.list) {
    REQUIRE(setting.value == setting.key->standard);
    REQUIRE((setting.origin == Setting::Origin::kDefault && setting.place.empty()));
  }
}

TEST_CASE("each value says which file and line it comes from") {
  Fixture f;
  f.Config("# mine\nmax_running = 3\ndefault_cpus = 4\n");
  const LoadedSettings settings = f.Load();
  REQUIRE((settings.values.max_running == 3 && settings.values.default_cpus == 4));
  const Setting& running = settings.Of("max_running");
  REQUIRE((running.value == "3" && running.origin == Setting::Origin::kConfig));
  REQUIRE(running.place == f.files.config + ":2");
  REQUIRE_FALSE(running.locked());
  REQUIRE(settings.HowToChange("max_running") ==
          "`max_running` in " + f.files.config + " changes that");
  REQUIRE(settings.Of("min_free_mib").origin == Setting::Origin::kDefault);
}

TEST_CASE("what the administrator says wins, is locked, and tells what it hides") {
  Fixture f;
  f.Config("default_cpus = 4\nmax_running = 3\n");
  f.Corp("max_running = 5\nrequire_isolation = \"hardware\"\n");
  const LoadedSettings settings = f.Load();
  REQUIRE((settings.values.max_running == 5 && settings.values.default_cpus == 4));
  REQUIRE(settings.values.require_isolation == "hardware");
  const Setting& running = settings.Of("max_running");
  REQUIRE((running.locked() && running.value == "5"));
  REQUIRE(running.place == f.files.corp + ":1");
  REQUIRE(running.ignored == f.files.config + ":2");
  REQUIRE(settings.HowToChange("max_running") ==
          "`max_running` is locked by " + f.files.corp + ":1");
  REQUIRE(settings.Of("require_isolation").ignored.empty());
}

TEST_CASE("a bad file is told with file, line and key, and what helps") {
  struct Case {
    const char* text;
    const char* says;
  };
  const auto c = GENERATE(
      Case{"max_running = 3\nmax_runing = 4\n", ":2: there is no key called max_runing"},
      Case{"\nmax_running = 0\n", ":2: max_running is 0: it must be a whole number from 1 to 1000"},
      Case{"max_running = 3\nmax_running = 4\n", ":2: "}, Case{"max_running\n", ":1: "},
      Case{"[defaults]\ncpus = 1\n", ":1: there is no key called defaults"});
  const bool in_corp = GENERATE(false, true);
  Fixture f;
  in_corp ? f.Corp(c.text) : f.Config(c.text);
  const Status refused = LoadSettings(f.files).status();
  REQUIRE_CODE(refused, kInvalidArgument);
  INFO(Describe(refused));
  const std::string& file = in_corp ? f.files.corp : f.files.config;
  REQUIRE(Message(refused).starts_with(file + c.says));
  REQUIRE_FALSE(Remedy(refused).empty());
  REQUIRE(CheckSettingsFile(file) == refused);
}

TEST_CASE("what cannot be read is no file of nothing") {
  Fixture f;
  SECTION("a folder") { REQUIRE(mkdir(f.files.corp.c_str(), 0700) == 0); }
  SECTION("a fifo") { REQUIRE(mkfifo(f.files.corp.c_str(), 0600) == 0); }
  SECTION("too much") { f.Corp(std::string(70'000, '#')); }
  SECTION("a device") { REQUIRE(symlink("/dev/zero", f.files.corp.c_str()) == 0); }
  const Status refused = LoadSettings(f.files).status();
  REQUIRE_CODE(refused, kInvalidArgument);
  REQUIRE(Message(refused).find(f.files.corp) != std::string_view::npos);
  REQUIRE_FALSE(Remedy(refused).empty());
}

TEST_CASE("a file is checked by itself, and must be there") {
  Fixture f;
  REQUIRE_CODE(CheckSettingsFile(f.files.config), kNotFound);
  f.Config("max_running = 3\n");
  f.Corp("nonsense = 1\n");
  REQUIRE_OK(CheckSettingsFile(f.files.config));
}

TEST_CASE("the files lie in the config folder and in /etc; tests may say otherwise") {
  const RunDir dir{"/state", "/config", "/run"};
  unsetenv("CAPSEM_TEST_CORP_FILE");
  REQUIRE(SettingsFiles::Of(dir).config == "/config/config.toml");
  REQUIRE(SettingsFiles::Of(dir).corp == "/etc/capsem/corp.toml");
  setenv("CAPSEM_TEST_CORP_FILE", "/tmp/corp.toml", 1);
  const bool installed = access("/etc/capsem/corp.toml", F_OK) == 0;
  REQUIRE(SettingsFiles::Of(dir).corp == (installed ? "/etc/capsem/corp.toml" : "/tmp/corp.toml"));
  unsetenv("CAPSEM_TEST_CORP_FILE");
}

}  // namespace capsem
