#include "copy_end.h"

#include "base/testing/status_matchers.h"

namespace capsem::cli {

using Kind = CopyEnd::Kind;

TEST_CASE("a session's file is told from one of this host by what stands before the colon") {
  struct Case {
    const char* word;
    Kind kind;
    const char* session;
    const char* path;
  };
  const auto c =
      GENERATE(Case{"box:/etc/x", Kind::kGuest, "box", "/etc/x"},
               Case{"box:x:y", Kind::kGuest, "box", "x:y"}, Case{"box:", Kind::kGuest, "box", "."},
               Case{"box", Kind::kHost, "", "box"}, Case{"./box:x", Kind::kHost, "", "./box:x"},
               Case{"/a:b", Kind::kHost, "", "/a:b"}, Case{":x", Kind::kHost, "", ":x"},
               Case{"a b:x", Kind::kHost, "", "a b:x"}, Case{"-", Kind::kStream, "", ""},
               Case{"..", Kind::kHost, "", ".."});
  INFO(c.word);
  const CopyEnd end = ParseCopyEnd(c.word);
  CHECK(end.kind == c.kind);
  CHECK(end.session == c.session);
  CHECK(end.path == c.path);
}

TEST_CASE("exactly one end is in a session") {
  for (const auto& [from, to] :
       {std::pair{"a", "b"}, std::pair{"box:a", "box:b"}, std::pair{"-", "-"},
        std::pair{"", "box:a"}, std::pair{"box:a", ""}}) {
    const auto plan = PlanCopy(from, to);
    REQUIRE_CODE(plan, kInvalidArgument);
    CHECK_FALSE(Remedy(plan.status()).empty());
  }
  REQUIRE_OK(PlanCopy("-", "box:x"));
  REQUIRE_OK(PlanCopy("box:x", "-"));
}

TEST_CASE("the last name of a path, or what a folder holds") {
  for (const auto& [path, name] :
       {std::pair{"a", "a"}, std::pair{"/a/b", "b"}, std::pair{"a/b//", "b"}, std::pair{".", ""},
        std::pair{"a/.", ""}, std::pair{"/", ""}, std::pair{"a/..", ".."}}) {
    INFO(path);
    CHECK(BaseName(path) == name);
  }
  CHECK(Join("a", "b") == "a/b");
  CHECK(Join("/", "b") == "/b");
}

}  // namespace capsem::cli
