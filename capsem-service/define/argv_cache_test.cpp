#include "define/argv_cache.h"

#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"

namespace capsem::service {
namespace {

struct Cache {
  TempDir dir;
  std::string folder = dir / "argv";
  std::string qemu = dir / "qemu";
  CompiledShape shape;

  Cache() {
    std::ofstream(qemu) << "qemu";
    shape = {{"/usr/bin/qemu", "-S", "{fd:ram}"}, "7.2.22", "9.0.0", {qemu}};
  }
  std::string OnlyFile() const {
    std::vector<std::string> files;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
      files.push_back(entry.path());
    }
    REQUIRE(files.size() == 1);
    return files.front();
  }
};

TEST_CASE("what was stored is found again, with all that it had") {
  Cache cache;
  REQUIRE_FALSE(LoadShape(cache.folder, "<xml/>").has_value());
  REQUIRE_OK(StoreShape(cache.folder, "<xml/>", cache.shape));
  const auto found = LoadShape(cache.folder, "<xml/>");
  REQUIRE(found.has_value());
  REQUIRE(found->argv == cache.shape.argv);
  REQUIRE(found->qemu_version == "7.2.22");
  REQUIRE(found->libvirt_version == "9.0.0");
  REQUIRE(found->files == cache.shape.files);
}

TEST_CASE("another shape is another entry") {
  Cache cache;
  REQUIRE_OK(StoreShape(cache.folder, "<a/>", cache.shape));
  REQUIRE_FALSE(LoadShape(cache.folder, "<b/>").has_value());
}

TEST_CASE("an entry is forgotten when a file that it came from changes or goes") {
  Cache cache;
  REQUIRE_OK(StoreShape(cache.folder, "<xml/>", cache.shape));
  SECTION("longer") { std::ofstream(cache.qemu, std::ios::app) << "!"; }
  SECTION("newer") {
    std::filesystem::last_write_time(
        cache.qemu, std::filesystem::last_write_time(cache.qemu) + std::chrono::nanoseconds(1000));
  }
  SECTION("gone") { std::filesystem::remove(cache.qemu); }
  REQUIRE_FALSE(LoadShape(cache.folder, "<xml/>").has_value());
}

TEST_CASE("a damaged entry is no entry") {
  Cache cache;
  REQUIRE_OK(StoreShape(cache.folder, "<xml/>", cache.shape));
  const std::string path = cache.OnlyFile();
  std::ifstream file(path);
  const std::string whole{std::istreambuf_iterator<char>(file), {}};
  struct Case {
    std::string what;
    std::string with;
  };
  const Case c = GENERATE(values<Case>({
      {"\"-S\"", "7"},
      {"\"argv\"", "\"other\""},
      {"\"files\"", "\"other\""},
      {"\"rules\": ", "\"rules\": 1000"},
      {"<xml/>", "<yml/>"},
      {"{", "["},
      {"\"path\"", "\"pat\""},
  }));
  std::string damaged = whole;
  const size_t at = damaged.find(c.what);
  REQUIRE(at != std::string::npos);
  std::ofstream(path) << damaged.replace(at, c.what.size(), c.with);
  INFO(damaged);
  REQUIRE_FALSE(LoadShape(cache.folder, "<xml/>").has_value());
  std::ofstream(path) << whole;
  REQUIRE(LoadShape(cache.folder, "<xml/>").has_value());
}

TEST_CASE("an entry is its owner's alone") {
  Cache cache;
  REQUIRE_OK(StoreShape(cache.folder, "<xml/>", cache.shape));
  struct stat info;
  REQUIRE(stat(cache.OnlyFile().c_str(), &info) == 0);
  REQUIRE((info.st_mode & 0777) == 0600);
  REQUIRE(stat(cache.folder.c_str(), &info) == 0);
  REQUIRE((info.st_mode & 0777) == 0700);
}

TEST_CASE("a folder that cannot be made is told") {
  Cache cache;
  REQUIRE_CODE(StoreShape(cache.qemu + "/argv", "<xml/>", cache.shape), kInternal);
  REQUIRE_CODE(StoreShape(cache.dir / "no/where", "<xml/>", cache.shape), kNotFound);
}

}  // namespace
}  // namespace capsem::service
