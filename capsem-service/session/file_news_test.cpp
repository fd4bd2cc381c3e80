#include "session/file_news.h"

#include <fstream>

#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"
#include "base/testing/test_loop.h"

namespace capsem::service {
namespace {

struct Fixture {
  TestLoop loop;
  TempDir dir;
  std::string path = dir / "log";
  int news = 0;
  std::unique_ptr<FileNews> watched;

  Fixture() {
    watched = VALUE_OF(FileNews::Create(loop, path, [this] { ++news; }));
  }

  void Write(const std::string& text) { std::ofstream(path, std::ios::app) << text; }
  void Turn() { REQUIRE(rename(path.c_str(), (path + ".1").c_str()) == 0); }
  // The news that came meanwhile, each told once.
  void Hear() {
    const int before = news;
    watched->Await();
    REQUIRE(loop.RunUntil([&] { return news > before; }));
    REQUIRE(news == before + 1);
  }
};

}  // namespace

TEST_CASE("a file that appears, grows, and is replaced is news each time") {
  Fixture f;
  REQUIRE_OK(f.watched->Arm());
  f.Write("a");
  f.Hear();
  REQUIRE_OK(f.watched->Arm());
  f.Write("b");
  f.Hear();
  f.Turn();
  f.Write("c");
  f.Hear();
  REQUIRE_OK(f.watched->Arm());
  f.Write("d");
  f.Hear();
}

TEST_CASE("much that happens is told once, and only to whom awaits it") {
  Fixture f;
  f.Write("a");
  REQUIRE_OK(f.watched->Arm());
  for (int i = 0; i < 1000; ++i) f.Write("b");
  f.loop.RunReady();
  REQUIRE(f.news == 0);
  f.Hear();
  f.watched->Await();
  f.loop.RunReady();
  REQUIRE(f.news == 1);
}

TEST_CASE("other files of its folder that grow are no news") {
  Fixture f;
  std::ofstream disk(f.dir / "disk.img");
  disk << "a" << std::flush;
  f.Hear();  // it has appeared
  disk << "b" << std::flush;
  f.watched->Await();
  f.loop.RunReady();
  REQUIRE(f.news == 1);
}

TEST_CASE("what lies in no folder cannot be watched") {
  TestLoop loop;
  REQUIRE_CODE(FileNews::Create(loop, "/nowhere/log", [] {}), kNotFound);
}

}  // namespace capsem::service
