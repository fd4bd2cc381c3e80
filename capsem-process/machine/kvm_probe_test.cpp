#include "machine/kvm_probe.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"

namespace capsem::process {

TEST_CASE("a device that cannot be opened is explained, and may be asked again") {
  struct Case {
    int error;
    std::string_view reason, remedy;
  };
  const Case cases[] = {
      {ENOENT, "there is no /dev/kvm", "VT-x"},
      {ENXIO, "there is no /dev/kvm", "VT-x"},
      {EACCES, "you may not use /dev/kvm", "usermod -aG kvm"},
      {EIO, "Input/output error", ""},
  };
  for (const Case& c : cases) {
    const KvmVerdict verdict = JudgeOpen(c.error);
    REQUIRE_FALSE(verdict.usable);
    REQUIRE_FALSE(verdict.settled);
    REQUIRE(verdict.reason.find(c.reason) != std::string::npos);
    REQUIRE(verdict.remedy.find(c.remedy) != std::string::npos);
  }
}

TEST_CASE("only the whole word and a halt mean that KVM is usable") {
  struct Case {
    StatusOr<KvmRun> run;
    bool usable, settled;
  };
  const Case cases[] = {
      {KvmRun{"RPLI3iFfD", "halt"}, true, true},
      {KvmRun{"RPLI", "internal error 1"}, false, true},
      {KvmRun{"RPLI3iFf", "still running"}, false, false},
      {KvmRun{"RPLI3iFfD", "triple fault"}, false, true},
      {KvmRun{"RPLI3iFfDD", "halt"}, false, true},
      {KvmRun{"", "halt"}, false, true},
      {Internal("KVM: make a machine: Inappropriate ioctl for device"), false, true},
      {DeadlineExceeded("the test guest did not end within 250 ms"), false, false},
      {Unimplemented("KVM is probed on x86-64 only"), false, false},
  };
  for (const Case& c : cases) {
    const KvmVerdict verdict = JudgeRun(c.run);
    INFO(verdict.reason);
    REQUIRE(verdict.usable == c.usable);
    REQUIRE(verdict.settled == c.settled);
    REQUIRE_FALSE(verdict.reason.empty());
  }
}

TEST_CASE("work in a child answers, dies or is killed") {
  const auto limit = std::chrono::seconds(60);
  REQUIRE(VALUE_OF(RunInChild(limit, [] { return std::string("answer"); })) == "answer");
  REQUIRE_CODE(RunInChild(limit,
                          []() -> std::string {
                            raise(SIGKILL);
                            return "";
                          }),
               kInternal);
  REQUIRE_CODE(RunInChild(std::chrono::milliseconds(1),
                          []() -> std::string {
                            while (true) pause();
                          }),
               kDeadlineExceeded);
}

TEST_CASE("a verdict is kept for its boot and kernel, and read back") {
  TempDir dir;
  const std::string path = dir / "kvm";
  const KvmVerdict verdicts[] = {{true, "it runs", "", "RPLI3iFfD", true},
                                 {false, "it does not", "nothing", "", true}};
  for (const KvmVerdict& verdict : verdicts) {
    REQUIRE_OK(WriteKvmCache(path, "boot kernel", verdict));
    const auto kept = ReadKvmCache(path, "boot kernel");
    REQUIRE(kept.has_value());
    REQUIRE(kept->usable == verdict.usable);
    REQUIRE(kept->reason == verdict.reason);
    REQUIRE(kept->remedy == verdict.remedy);
    REQUIRE(kept->progress == verdict.progress);
    REQUIRE_FALSE(ReadKvmCache(path, "other kernel").has_value());
  }
  struct stat info {};
  REQUIRE(stat(path.c_str(), &info) == 0);
  REQUIRE((info.st_mode & 0777) == 0600);
  // Nothing beside it.
  REQUIRE(std::distance(std::filesystem::directory_iterator(dir.path()), {}) == 1);
}

TEST_CASE("a cache that is no verdict counts as none") {
  TempDir dir;
  const std::string path = dir / "kvm";
  REQUIRE_FALSE(ReadKvmCache(path, "key").has_value());
  for (const char* text : {"", "key", "key\nusable\n", "key\nmaybe\na\nb\nc\n", "\n\n\n\n\n"}) {
    std::ofstream(path) << text;
    REQUIRE_FALSE(ReadKvmCache(path, "key").has_value());
  }
  REQUIRE_FALSE(WriteKvmCache(dir / "no/such/folder", "key", {}).ok());
}

TEST_CASE("this host gets an answer, and the same one again from the cache") {
  TempDir dir;
  const KvmVerdict verdict = ProbeKvm(dir / "kvm");
  INFO(ToJson(verdict));
  REQUIRE_FALSE(verdict.reason.empty());
  REQUIRE(verdict.usable == (verdict.progress == kKvmGuestSays));
  if (verdict.settled) REQUIRE(ToJson(ProbeKvm(dir / "kvm")) == ToJson(verdict));
}

TEST_CASE("a verdict is one line of JSON") {
  const auto json = nlohmann::json::parse(ToJson({false, "a \"quote\"\n", "help", "RP", true}));
  REQUIRE(json["usable"] == false);
  REQUIRE(json["reason"] == "a \"quote\"\n");
  REQUIRE(json["remedy"] == "help");
  REQUIRE(json["progress"] == "RP");
}

}  // namespace capsem::process
