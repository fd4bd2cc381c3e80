#include "guest/link_state.h"

#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"

namespace capsem::process {
namespace {

LinkState Example() {
  return {{.link_id = 0x1122334455667788, .secret = std::string(32, '\x07')},
          true,
          "a control frame",
          std::string("\0mux\xff", 5)};
}

TEST_CASE("a link state comes back as it was written, in a file of mode 0600") {
  const TempDir dir;
  const std::string path = dir / "link.state";
  REQUIRE_OK(WriteLinkState(path, Example()));
  struct stat about {};
  REQUIRE(stat(path.c_str(), &about) == 0);
  REQUIRE((about.st_mode & 0777) == 0600);
  const LinkState read = VALUE_OF(ReadLinkState(path));
  REQUIRE(read.identity.link_id == Example().identity.link_id);
  REQUIRE(read.identity.secret == Example().identity.secret);
  REQUIRE(read.established);
  REQUIRE(read.control_out == Example().control_out);
  REQUIRE(read.mux == Example().mux);
  REQUIRE(!std::filesystem::exists(path + ".new"));
}

TEST_CASE("a link state with any byte changed is refused") {
  const std::string good = EncodeLinkState(Example());
  REQUIRE_OK(DecodeLinkState(good));
  for (size_t at = 0; at < good.size(); ++at) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 0x40);
    INFO("byte " << at);
    REQUIRE_CODE(DecodeLinkState(bad), kDataLoss);
  }
}

TEST_CASE("a link state cut at any length, or with bytes too many, is refused") {
  const std::string good = EncodeLinkState(Example());
  for (size_t size = 0; size < good.size(); ++size) {
    INFO("size " << size);
    REQUIRE_CODE(DecodeLinkState(std::string_view(good).substr(0, size)), kDataLoss);
  }
  REQUIRE_CODE(DecodeLinkState(good + "x"), kDataLoss);
}

TEST_CASE("a link state that is missing, or far too large, is refused before it is read") {
  const TempDir dir;
  REQUIRE_CODE(ReadLinkState(dir / "none"), kNotFound);
  std::ofstream(dir / "huge").put('x');
  std::filesystem::resize_file(dir / "huge", uint64_t{1} << 40);
  REQUIRE_CODE(ReadLinkState(dir / "huge"), kDataLoss);
}

}  // namespace
}  // namespace capsem::process
