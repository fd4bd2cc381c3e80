#include "session/recover.h"

#include <filesystem>

#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"
#include "session/session_dir.h"

namespace capsem::service {

TEST_CASE("what dead services left behind is removed, and nothing else") {
  TempDir dir;
  REQUIRE_OK(MakeSessionDir(dir / "abcdefghijkl"));
  REQUIRE_OK(MakeSessionDir(dir / "bbbbbbbbbbbb"));
  REQUIRE_OK(MakeSessionDir(dir / "keep"));
  REQUIRE(RecoverSessions(dir.path()) == 2);
  REQUIRE(!std::filesystem::exists(dir / "abcdefghijkl"));
  REQUIRE(std::filesystem::exists(dir / "keep"));
  REQUIRE(RecoverSessions(dir.path()) == 0);
}

TEST_CASE("a state folder that is new has nothing to recover") {
  REQUIRE(RecoverSessions("/nowhere/at/all") == 0);
}

}  // namespace capsem::service
