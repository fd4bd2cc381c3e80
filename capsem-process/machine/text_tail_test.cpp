#include "machine/text_tail.h"

#include "base/testing/status_matchers.h"

namespace capsem::process {

TEST_CASE("a tail keeps the last bytes and no more") {
  TextTail tail;
  tail.Append(std::string(3000, 'a'));
  tail.Append(std::string(3000, 'b'));
  REQUIRE(tail.bytes() == std::string(TextTail::kBytes - 3000, 'a') + std::string(3000, 'b'));
  tail.Append(std::string(100'000, 'c') + "end");
  REQUIRE(tail.bytes() == std::string(TextTail::kBytes - 3, 'c') + "end");
}

TEST_CASE("the last lines are those that hold anything, oldest first") {
  TextTail tail;
  tail.Append("one\r\ntwo\n\n  \r\nthree\n\n");
  REQUIRE(tail.LastLines(2) == "two\nthree");
  REQUIRE(tail.LastLines(9) == "one\ntwo\nthree");
  REQUIRE(tail.LastLines(0).empty());
  REQUIRE(TextTail().LastLines(3).empty());
}

TEST_CASE("a line without its newline counts too") {
  TextTail tail;
  tail.Append("one\ntw");
  REQUIRE(tail.LastLines(1) == "tw");
}

TEST_CASE("a cleaned line is printable") {
  struct Case {
    std::string_view raw, clean;
  };
  const Case cases[] = {
      {"plain", "plain"},
      {"\x1b[1;31mred\x1b[0m text", "red text"},
      {"\x1b"
       "ctitle",
       "title"},
      {"cut \x1b[12", "cut"},
      {"end \x1b", "end"},
      {"a\tb\x07"
       "c\r",
       "a bc"},
      {"caf\xc3\xa9", "caf??"},
      {std::string_view("nul\0x", 5), "nulx"},
      {"", ""},
  };
  for (const Case& c : cases) REQUIRE(CleanLine(c.raw) == c.clean);
  REQUIRE(CleanLine(std::string(5000, 'x')).size() == TextTail::kLineBytes);
}

TEST_CASE("a line is found by what stands in it, the newest first") {
  TextTail tail;
  tail.Append("[ 1.0] Kernel panic - old\n[ 2.0] Kernel panic - not syncing: x\r\nafter\n");
  REQUIRE(tail.LineWith("Kernel panic") == "Kernel panic - not syncing: x");
  REQUIRE(tail.LineWith("oops").empty());
}

}  // namespace capsem::process
