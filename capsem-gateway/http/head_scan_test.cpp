#include "http/head_scan.h"

#include <string_view>
#include <vector>

#include "base/testing/status_matchers.h"

namespace capsem::gateway {
namespace {

using Verdict = HeadScan::Verdict;

// The last verdict, and how many bytes it took to get there.
std::pair<Verdict, size_t> Scan(HeadScan& scan, std::string_view bytes) {
  for (size_t at = 0; at < bytes.size(); ++at) {
    const Verdict verdict = scan.Take(bytes[at]);
    if (verdict != Verdict::kMore) return {verdict, at + 1};
  }
  return {Verdict::kMore, bytes.size()};
}

}  // namespace

TEST_CASE("a head ends with its empty line, and not before") {
  const std::string_view head = "GET / HTTP/1.1\r\nHost: a\tb \r\nX:\r\n\r\n";
  HeadScan scan;
  REQUIRE(Scan(scan, std::string(head) + "body\n") == std::pair(Verdict::kEnd, head.size()));
  HeadScan other;
  REQUIRE(Scan(other, head.substr(0, head.size() - 1)).first == Verdict::kMore);
}

TEST_CASE("what is in no honest head is refused at its byte") {
  struct Case {
    std::string_view good;
    std::string_view bad;
  };
  using namespace std::string_view_literals;
  const std::vector<Case> cases = {
      {"", "\n"},
      {"\r", "\n"},  // an empty line first
      {"GET / HTTP/1.1", "\n"},
      {"GET / HTTP/1.1\r", "H"},
      {"GET / HTTP/1.1\r", "\r"},
      {"GET", "\t"},
      {"GET / HTTP/1.1\r\n", " "},
      {"GET / HTTP/1.1\r\n", "\t"},
      {"GET / HTTP/1.1\r\nX: 1\r\n", " "},
      {"GET / HTTP/1.1\r\nX: 1\r\n", ":"},
      {"GET / HTTP/1.1\r\nX: 1", "\n"},
      {"GET / HTTP/1.1\r\nX: 1\r\n\r", "X"},
      {"GET / HTTP/1.1\r\nX: ", "\0"sv},
      {"GET / HTTP/1.1\r\nX: ", "\x01"},
      {"GET / HTTP/1.1\r\nX: ", "\x1f"},
      {"GET / HTTP/1.1\r\nX: ", "\x7f"},
      {"GET / HTTP/1.1\r\nX: ", "\x80"},
      {"GET / HTTP/1.1\r\nX: ", "\xff"},
      {"GET /", "\xc3"},
  };
  for (const Case& c : cases) {
    INFO(c.good << " | " << static_cast<int>(c.bad[0]));
    HeadScan scan;
    REQUIRE(Scan(scan, c.good) == std::pair(Verdict::kMore, c.good.size()));
    REQUIRE(scan.Take(c.bad[0]) == Verdict::kBad);
    REQUIRE_FALSE(std::string_view(scan.why()).empty());
  }
}

}  // namespace capsem::gateway
