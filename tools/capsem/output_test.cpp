#include "output.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace capsem::cli {

TEST_CASE("a table's columns are as wide as their widest cell, counted in characters") {
  Table table({"ID", "NAME", "STATE"});
  table.Add({"abcdefghijkl", "é", "running"});
  table.Add({"b", "", ""});
  CHECK(table.ToString() ==
        "ID            NAME  STATE\n"
        "abcdefghijkl  é     running\n"
        "b\n");
}

TEST_CASE("keys and values are aligned") {
  CHECK(KeyValues({{"id", "x"}, {"memory", "512 MiB"}}) == "id:     x\nmemory: 512 MiB\n");
}

TEST_CASE("control characters do not reach the terminal") {
  const std::pair<std::string, std::string> table[] = {
      {"plain é €", "plain é €"},
      {"\x1b[31mred", "\\x1b[31mred"},
      {"a\nb\tc\x7f", "a\\x0ab\\x09c\\x7f"},
      {"\xc2\x9b"
       "31m",
       "\\xc2\\x9b31m"},
      {"a\xff", "a\\xff"},
      {std::string("a\0b", 3), "a\\x00b"},
  };
  for (const auto& [text, expected] : table) CHECK(Printable(text) == expected);
}

TEST_CASE("an error is a cause and a remedy, for people and for scripts") {
  const Status status = WithRemedy(NotFound("no session is called {}", "box"), "see `capsem list`");
  CHECK(ErrorText(status, false) == "capsem: no session is called box\n  see `capsem list`\n");
  CHECK(ErrorText(Internal("broken"), false) == "capsem: broken\n");
  const auto json = nlohmann::json::parse(ErrorText(status, true));
  CHECK(json["error"]["code"] == "NotFound");
  CHECK(json["error"]["cause"] == "no session is called box");
  CHECK(json["error"]["remedy"] == "see `capsem list`");
  CHECK(nlohmann::json::parse(ErrorText(Internal("\xff"), true))["error"]["code"] == "Internal");
}

TEST_CASE("sizes and times are for people") {
  CHECK(Bytes(0) == "0 B");
  CHECK(Bytes(1023) == "1023 B");
  CHECK(Bytes(1536) == "1.5 KiB");
  CHECK(Bytes(uint64_t{5} << 40) == "5.0 TiB");
  CHECK(Bytes(uint64_t{5} << 60) == "5242880.0 TiB");
  const std::pair<int64_t, std::string> ages[] = {
      {0, "0 seconds"}, {1, "1 second"},    {59, "59 seconds"}, {60, "1 minute"},
      {7199, "1 hour"}, {172800, "2 days"}, {-5, "0 seconds"}};
  for (const auto& [seconds, text] : ages)
    CHECK(Age(1'000'000, 1'000'000 + seconds * 1000) == text);
  CHECK(TimeText(1714564800123) == "2024-05-01 12:00:00 UTC");
}

}  // namespace capsem::cli
