#include "supervise/kvm_status.h"

#include <sys/stat.h>

#include <fstream>

#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"
#include "base/testing/test_loop.h"

namespace capsem::service {
namespace {

struct Fixture {
  TestLoop loop;
  TempDir dir;
  std::string program = dir / "probe";

  // A probe that runs these shell lines and counts its runs.
  void Probe(const std::string& lines) {
    std::ofstream(program) << "#!/bin/sh\necho run >> " << dir / "runs"
                           << "\n"
                           << lines << "\n";
    chmod(program.c_str(), 0700);
  }
  KvmStatus::Answer Ask(const std::string& boot) {
    KvmStatus kvm(loop, program, dir / "kvm.json", boot);
    std::vector<KvmStatus::Answer> answers;
    for (int i = 0; i < 2; ++i) {
      kvm.Ask([&](const KvmStatus::Answer& answer) { answers.push_back(answer); });
    }
    REQUIRE(answers.empty());
    REQUIRE(loop.RunUntil([&] { return answers.size() == 2; }));
    REQUIRE(answers[0].usable == answers[1].usable);
    return answers[0];
  }
  size_t Runs() {
    std::ifstream file(dir / "runs");
    return static_cast<size_t>(std::count(std::istreambuf_iterator<char>(file), {}, '\n'));
  }
};

}  // namespace

TEST_CASE("the probe's answer is told to all who ask, and kept for this boot") {
  Fixture f;
  f.Probe(R"(echo '{"usable":true,"reason":""}')");
  REQUIRE(f.Ask("boot 1").usable);
  REQUIRE(f.Ask("boot 1").usable);
  REQUIRE(f.Runs() == 1);
  REQUIRE(f.Ask("boot 2").usable);
  REQUIRE(f.Runs() == 2);
}

TEST_CASE("a probe that says no, says nothing or fails means no, with a reason") {
  struct Case {
    std::string lines, reason;
  };
  const std::vector<Case> cases = {
      {R"(echo '{"usable":false,"reason":"no /dev/kvm"}')", "no /dev/kvm"},
      {"exit 0", "no answer"},
      {"echo nonsense", "nonsense"},
      {"echo '{\"usable\":1}'", "no answer"},
      {"kill -9 $$", "signal 9"},
  };
  for (const Case& c : cases) {
    Fixture f;
    f.Probe(c.lines);
    const KvmStatus::Answer answer = f.Ask("boot");
    INFO(c.lines << ": " << answer.reason);
    REQUIRE(!answer.usable);
    REQUIRE(answer.reason.find(c.reason) != std::string::npos);
  }
}

TEST_CASE("without the probe's program the answer is no, and not kept") {
  Fixture f;
  REQUIRE(!f.Ask("boot").usable);
  f.Probe(R"(echo '{"usable":true}')");
  REQUIRE(f.Ask("boot").usable);
}

TEST_CASE("a kept answer that is damaged is asked for again") {
  Fixture f;
  std::ofstream(f.dir / "kvm.json") << "{\"boot\":\"boot\",\"usable\":";
  f.Probe(R"(echo '{"usable":true}')");
  REQUIRE(f.Ask("boot").usable);
  REQUIRE(f.Runs() == 1);
}

}  // namespace capsem::service
