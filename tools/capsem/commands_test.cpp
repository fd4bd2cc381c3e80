#include "commands.h"

#include <catch2/catch.hpp>
#include <set>

namespace capsem::cli {

TEST_CASE("every verb has an example that begins with it, and says when it fails") {
  for (const Verb& verb : Verbs()) {
    INFO(verb.name);
    CHECK(verb.example.find(fmt::format("capsem {}", verb.name)) != std::string_view::npos);
    // Three failures, a line each.
    CHECK(std::count(verb.failures.begin(), verb.failures.end(), '\n') == 2);
    CHECK_FALSE(verb.summary.empty());
    CHECK(verb.run != nullptr);
    const std::string help = HelpOf(verb);
    for (const Option& option : verb.options) CHECK(help.find(option.names) != std::string::npos);
    for (size_t begin = 0, end; begin < help.size(); begin = end + 1) {
      end = help.find('\n', begin);
      CHECK(end - begin <= 100);
    }
  }
}

TEST_CASE("names and aliases are unique") {
  std::set<std::string_view> seen;
  for (const Verb& verb : Verbs()) {
    CHECK(seen.insert(verb.name).second);
    if (!verb.alias.empty()) CHECK(seen.insert(verb.alias).second);
  }
}

TEST_CASE("a verb is found by one word, by two, and by its alias") {
  const std::pair<std::vector<std::string>, std::pair<std::string_view, size_t>> table[] = {
      {{"list"}, {"list", 1}},
      {{"ls", "-q"}, {"list", 1}},
      {{"rm", "box"}, {"delete", 1}},
      {{"image", "build"}, {"image build", 2}},
      {{"service", "stop", "x"}, {"service stop", 2}},
  };
  for (const auto& [words, expected] : table) {
    const Found found = FindVerb(words);
    REQUIRE(found.verb != nullptr);
    CHECK(found.verb->name == expected.first);
    CHECK(found.words == expected.second);
  }
  for (const std::vector<std::string>& words : {std::vector<std::string>{},
                                                {"nonsense"},
                                                {"image"},
                                                {"image", "nonsense"},
                                                {""},
                                                {"image build"}}) {
    CHECK(FindVerb(words).verb == nullptr);
  }
}

TEST_CASE("help names every verb, and a group its own") {
  const std::string all = HelpOfAll();
  for (const Verb& verb : Verbs()) CHECK(all.find(verb.name) != std::string::npos);
  CHECK(HelpOfGroup("image").find("image inspect") != std::string::npos);
  CHECK(HelpOfGroup("image").find("service") == std::string::npos);
  CHECK(HelpOfGroup("nonsense").empty());
}

}  // namespace capsem::cli
