#include "supervise/last_word.h"

#include <fstream>

#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"
#include "capsem/process/v1/process.pb.h"

namespace capsem::service {

TEST_CASE("a last word is read as it was left, and forgotten") {
  TempDir dir;
  capsem::process::v1::LastWord word;
  word.set_reason("it powered itself off");
  word.set_clean(true);
  std::ofstream(dir / "last_word") << word.SerializeAsString();
  REQUIRE(ReadLastWord(dir.path()) == LastWord{"it powered itself off", true, false});
  word.set_restart(true);
  std::ofstream(dir / "last_word") << word.SerializeAsString();
  REQUIRE(ReadLastWord(dir.path()) == LastWord{"it powered itself off", true, true});
  ForgetLastWord(dir.path());
  REQUIRE(!ReadLastWord(dir.path()));
}

TEST_CASE("what is no last word is none") {
  TempDir dir;
  for (const std::string& bytes : {std::string(), std::string("\xff\xff\xff"),
                                   std::string("\x0a\x09short", 7), std::string(1 << 20, 'x')}) {
    std::ofstream(dir / "last_word") << bytes;
    REQUIRE(!ReadLastWord(dir.path()));
  }
}

}  // namespace capsem::service
