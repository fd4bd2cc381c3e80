#include "copy_to_guest.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"
#include "testing/fake_guest_files.h"

namespace capsem::cli {
namespace {

struct Fixture {
  Fixture() {
    guest.Folder("/w");
    guest.Put("/w/file", v1::FILE_TYPE_FILE);
    Put("f", "bytes");
    chmod((dir / "f").c_str(), 0751);
    std::filesystem::create_directories(dir / "d/sub");
    Put("d/a b\n\xff", "odd");
    Put("d/sub/x", "x");
    std::filesystem::create_symlink("/anywhere", dir / "d/link");
  }
  void Put(const std::string& path, const std::string& content) {
    std::ofstream(dir / path) << content;
  }
  Status Copy(const std::string& source, const std::string& to) {
    copy.emplace(guest, progress);
    return copy->Copy(source, to);
  }

  TempDir dir;
  FakeGuestFiles guest;
  Progress progress{Progress::Shown::kNever};
  std::optional<CopyToGuest> copy;
};

}  // namespace

TEST_CASE("a file goes into a folder of the session, or onto a name, with its mode") {
  Fixture f;
  REQUIRE_OK(f.Copy(f.dir / "f", "/w"));
  REQUIRE(f.guest.files.at("/w/f").data == "bytes");
  REQUIRE(f.guest.files.at("/w/f").info.mode() == 0751);
  REQUIRE_OK(f.Copy(f.dir / "f", "/w/file"));
  REQUIRE(f.guest.files.at("/w/file").data == "bytes");
  REQUIRE_OK(f.Copy(f.dir / "f", "/w/new"));
  REQUIRE(f.guest.files.at("/w/new").data == "bytes");
  REQUIRE_CODE(f.Copy(f.dir / "f", "/none/"), kNotFound);
  REQUIRE_CODE(f.Copy(f.dir / "none", "/w"), kNotFound);
}

TEST_CASE("a folder goes into a folder, onto a new name, or by what it holds; and once more") {
  Fixture f;
  const auto [source, to, root] =
      GENERATE(std::tuple{"d", "/w", "/w/d"}, std::tuple{"d", "/new", "/new"},
               std::tuple{"d/.", "/w", "/w"}, std::tuple{"d/", "/w", "/w/d"});
  for (int time = 0; time < (std::string(to) == "/new" ? 1 : 2); ++time) {
    REQUIRE_OK(f.Copy(f.dir / source, to));
    REQUIRE(f.guest.files.at(std::string(root) + "/a b\n\xff").data == "odd");
    REQUIRE(f.guest.files.at(std::string(root) + "/sub/x").data == "x");
    REQUIRE(f.guest.files.at(std::string(root) + "/link").info.link_target() == "/anywhere");
    REQUIRE(f.copy->tally().files == 2);
    REQUIRE(f.copy->tally().folders == 2);
  }
}

TEST_CASE("a folder does not take a file's place, there either") {
  Fixture f;
  REQUIRE_CODE(f.Copy(f.dir / "d", "/w/file"), kFailedPrecondition);
}

TEST_CASE("what is no file here is told of, and never waited for") {
  Fixture f;
  REQUIRE(mkfifo((f.dir / "d/pipe").c_str(), 0600) == 0);
  REQUIRE_OK(f.Copy(f.dir / "d", "/w"));
  REQUIRE(f.copy->tally().skipped.size() == 1);
  REQUIRE_CODE(f.Copy(f.dir / "d/pipe", "/w"), kFailedPrecondition);
}

TEST_CASE("a stream is one file") {
  Fixture f;
  const UniqueFd fd(open((f.dir / "f").c_str(), O_RDONLY | O_CLOEXEC));
  f.copy.emplace(f.guest, f.progress);
  REQUIRE_OK(f.copy->CopyStream(fd.get(), "/w/stream"));
  REQUIRE(f.guest.files.at("/w/stream").data == "bytes");
}

}  // namespace capsem::cli
