#include "wire/file_path.h"

#include "base/testing/status_matchers.h"

namespace capsem::wire {

TEST_CASE("a path is a folder and a name in it, from / or from /workspace on") {
  struct Case {
    std::string path, folder, name;
  };
  const auto c = GENERATE(Case{"/", "/", ""}, Case{"//./", "/", ""}, Case{"/a", "/", "a"},
                          Case{"/a/b", "/a", "b"}, Case{"//a//./b/c/.", "/a/b", "c"},
                          Case{"x", "/workspace", "x"}, Case{"x/y/", "/workspace/x", "y"},
                          Case{".", "/", "workspace"}, Case{"/...", "/", "..."},
                          Case{"/a b\n\xff", "/", "a b\n\xff"});
  INFO(c.path);
  const FilePath path = VALUE_OF(ParseFilePath(c.path));
  CHECK(path.folder == c.folder);
  CHECK(path.name == c.name);
  CHECK(path.text() == (c.folder == "/" ? "/" : c.folder + "/") + c.name);
}

TEST_CASE("what no file can be called is refused, with what helps") {
  const auto path =
      GENERATE(std::string(), std::string("/a\0b", 4), std::string(".."), std::string("/a/../b"),
               std::string("a/.."), "/" + std::string(256, 'n'), "/" + std::string(5000, '/'));
  INFO(path);
  const auto parsed = ParseFilePath(path);
  REQUIRE_CODE(parsed, kInvalidArgument);
  CHECK_FALSE(Remedy(parsed.status()).empty());
}

TEST_CASE("a name that would lead out of its folder is none") {
  for (const char* good : {"a", "...", "a b", "\xff", ".hidden"}) CHECK(IsFileName(good));
  CHECK(IsFileName(std::string(255, 'n')));
  for (const char* bad : {"", ".", "..", "/", "a/b", "/a"}) CHECK_FALSE(IsFileName(bad));
  CHECK_FALSE(IsFileName(std::string_view("a\0b", 3)));
  CHECK_FALSE(IsFileName(std::string(256, 'n')));
}

}  // namespace capsem::wire
