#include "wire/run_dir.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>

#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"

namespace capsem {
namespace {

using Variables = std::map<std::string, std::string>;

// The variables that count, for the time of a test; everything else of them is unset.
class Environment {
 public:
  explicit Environment(const Variables& wanted) {
    for (const char* name :
         {"CAPSEM_HOME", "HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR"}) {
      const char* value = std::getenv(name);
      if (value != nullptr) before_[name] = value;
      unsetenv(name);
      names_.push_back(name);
    }
    for (const auto& [name, value] : wanted) setenv(name.c_str(), value.c_str(), 1);
  }
  ~Environment() {
    for (const char* name : names_) unsetenv(name);
    for (const auto& [name, value] : before_) setenv(name.c_str(), value.c_str(), 1);
  }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

 private:
  std::vector<const char*> names_;
  Variables before_;
};

mode_t ModeOf(const std::string& path) {
  struct stat found {};
  REQUIRE(stat(path.c_str(), &found) == 0);
  return found.st_mode & 07777;
}

TEST_CASE("the environment says where everything lies") {
  struct Case {
    Variables environment;
    std::string state, config, runtime;
  };
  const auto c = GENERATE(
      Case{{{"CAPSEM_HOME", "/c"}, {"HOME", "/h"}, {"XDG_STATE_HOME", "/s"}}, "/c", "/c", "/c/run"},
      Case{{{"CAPSEM_HOME", "/c/../d//e/"}}, "/d/e", "/d/e", "/d/e/run"},
      Case{{{"CAPSEM_HOME", ""}, {"HOME", "/h"}},
           "/h/.local/state/capsem",
           "/h/.config/capsem",
           "/h/.local/state/capsem/run"},
      Case{{{"HOME", "/h"},
            {"XDG_STATE_HOME", "/s"},
            {"XDG_CONFIG_HOME", "/x"},
            {"XDG_RUNTIME_DIR", "/run/user/1"}},
           "/s/capsem",
           "/x/capsem",
           "/run/user/1/capsem"},
      Case{{{"HOME", "/h"}, {"XDG_STATE_HOME", "not/absolute"}, {"XDG_RUNTIME_DIR", ""}},
           "/h/.local/state/capsem",
           "/h/.config/capsem",
           "/h/.local/state/capsem/run"});
  const Environment environment(c.environment);
  const RunDir dir = VALUE_OF(RunDir::FromEnvironment());
  REQUIRE(dir.state == c.state);
  REQUIRE(dir.config == c.config);
  REQUIRE(dir.runtime == c.runtime);
}

TEST_CASE("a relative CAPSEM_HOME is taken from the working directory") {
  const Environment environment(Variables{{"CAPSEM_HOME", "here"}});
  REQUIRE(VALUE_OF(RunDir::FromEnvironment()).state == std::filesystem::current_path() / "here");
}

TEST_CASE("without any home there is an error that names CAPSEM_HOME") {
  const Environment environment(Variables{});
  const auto dir = RunDir::FromEnvironment();
  REQUIRE_CODE(dir, kFailedPrecondition);
  REQUIRE(Remedy(dir.status()).find("CAPSEM_HOME") != std::string::npos);
}

TEST_CASE("the longest state folder that is allowed leaves room for every socket below it") {
  const std::string longest = "/" + std::string(69, 'd');
  {
    const Environment environment(Variables{{"CAPSEM_HOME", longest}});
    const RunDir dir = VALUE_OF(RunDir::FromEnvironment());
    const std::string socket =
        dir.SessionDir(SessionId::Generate()) + "/" + session_file::kProcessSocket;
    REQUIRE(socket.size() <= 107);
    REQUIRE(dir.ServiceSocket().size() <= 107);
  }
  const Environment environment(Variables{{"CAPSEM_HOME", longest + "d"}});
  REQUIRE_CODE(RunDir::FromEnvironment(), kInvalidArgument);
}

TEST_CASE("Make makes what is missing at 0700, and twice is no error") {
  const TempDir temp;
  RunDir dir{temp / "a/b/state", temp / "config", temp / "r/run"};
  REQUIRE_OK(dir.Make());
  for (const std::string& path :
       {dir.state, dir.runtime, dir.Images(), dir.Keys(), dir.Cache(), dir.Sessions()}) {
    REQUIRE(ModeOf(path) == 0700);
  }
  REQUIRE(ModeOf(temp / "a/b") == 0700);
  REQUIRE_OK(dir.Make());
}

TEST_CASE("Make refuses what it cannot trust, and names it") {
  const TempDir temp;
  const RunDir dir{temp / "state", temp / "config", temp / "run"};
  SECTION("a file where a folder should be") {
    std::ofstream(temp / "state") << "x";
    const Status made = dir.Make();
    REQUIRE_CODE(made, kFailedPrecondition);
    REQUIRE(Message(made).find(temp / "state") != std::string::npos);
  }
  SECTION("a folder that others may write to") {
    REQUIRE(mkdir((temp / "run").c_str(), 0700) == 0);
    REQUIRE(chmod((temp / "run").c_str(), 0770) == 0);
    const Status made = dir.Make();
    REQUIRE_CODE(made, kPermissionDenied);
    REQUIRE(Message(made).find(temp / "run") != std::string::npos);
  }
  SECTION("a place where nothing can be made") {
    const RunDir elsewhere{"/proc/capsem/state", "/proc/capsem", "/proc/capsem/run"};
    const Status made = elsewhere.Make();
    REQUIRE_FALSE(made.ok());
    REQUIRE(Message(made).find("/proc/capsem") != std::string::npos);
    REQUIRE(Remedy(made).find("CAPSEM_HOME") != std::string::npos);
  }
}

}  // namespace
}  // namespace capsem
