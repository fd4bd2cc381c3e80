#include "args.h"

#include <catch2/catch.hpp>

#include "base/testing/status_matchers.h"

namespace capsem::cli {
namespace {

const std::vector<Option> kOptions = {
    {"-e, --env", "K=V", "set a variable"},
    {"--cpu, --cpus", "N", "processors"},
    {"-q, --quiet", "", "ids only"},
    {"--timeout", "S", "seconds"},
};

StatusOr<Args> Parse(std::vector<std::string> words, size_t own_words = Args::kAllWords) {
  return Args::Parse(words, kOptions, own_words);
}

}  // namespace

TEST_CASE("options and words may be mixed") {
  const Args args = VALUE_OF(Parse({"a", "-q", "b", "--cpus", "3", "c"}));
  CHECK(args.words() == std::vector<std::string>{"a", "b", "c"});
  CHECK(args.Flag("--quiet"));
  CHECK(VALUE_OF(args.Count("--cpus")) == 3u);
  CHECK_FALSE(args.Flag("--env"));
  CHECK(args.Text("--env") == std::nullopt);
}

TEST_CASE("every name of an option and both spellings of its value are the same") {
  for (const std::vector<std::string>& words : {std::vector<std::string>{"--cpu", "4"},
                                                {"--cpus", "4"},
                                                {"--cpu=4"},
                                                {"--cpus=4"},
                                                {"--cpus", "2", "--cpu", "4"}}) {
    CHECK(VALUE_OF(VALUE_OF(Parse(words)).Count("--cpus")) == 4u);
  }
  CHECK(VALUE_OF(Parse({"-e", "A=1", "--env=B=2=3", "--env", ""})).Texts("--env") ==
        std::vector<std::string>{"A=1", "B=2=3", ""});
}

TEST_CASE("what belongs to the guest's command is not looked at") {
  struct Case {
    std::vector<std::string> words;
    size_t own_words;
    std::vector<std::string> expected;
  };
  const Case table[] = {
      {{"ls", "-q", "--nonsense"}, 0, {"ls", "-q", "--nonsense"}},
      {{"-q", "ls", "--help"}, 0, {"ls", "--help"}},
      {{"--", "-q"}, 0, {"-q"}},
      {{"box", "-q", "ls", "-q"}, 1, {"box", "ls", "-q"}},
      {{"box", "--", "ls", "--", "-q"}, 1, {"box", "ls", "--", "-q"}},
      {{"box", "-", "-q"}, 1, {"box", "-", "-q"}},
      {{"a", "--", "-q"}, Args::kAllWords, {"a", "-q"}},
  };
  for (const Case& each : table) {
    const Args args = VALUE_OF(Parse(each.words, each.own_words));
    CHECK(args.words() == each.expected);
  }
}

TEST_CASE("flags of one letter may stand in one word") {
  const std::vector<Option> options = {
      {"-i, --stdin", "", ""}, {"-t, --tty", "", ""}, {"-e, --env", "K=V", ""}};
  const Args args = VALUE_OF(Args::Parse({"-it", "box"}, options, 1));
  CHECK(args.Flag("--stdin"));
  CHECK(args.Flag("--tty"));
  for (const char* wrong : {"-ix", "-ie", "-i="}) {
    const Status status = Args::Parse({wrong}, options, 1).status();
    REQUIRE_CODE(status, kInvalidArgument);
    CHECK(Message(status).starts_with("there is no option -i"));
  }
}

TEST_CASE("what is wrong is named") {
  const std::pair<std::vector<std::string>, std::string_view> table[] = {
      {{"--nonsense"}, "there is no option --nonsense"},
      {{"-x"}, "there is no option -x"},
      {{"--quiet=1"}, "--quiet takes no value"},
      {{"a", "--cpus"}, "--cpus wants a value: --cpus N"},
      {{"a", "\xff"}, "argument 2 is not UTF-8"},
      {{"--env", "A=\xc0\x80"}, "argument 2 is not UTF-8"},
  };
  for (const auto& [words, message] : table) {
    const Status status = Parse(words).status();
    REQUIRE_CODE(status, kInvalidArgument);
    CHECK(Message(status) == message);
    CHECK(Remedy(status) == "add --help to see how");
  }
}

TEST_CASE("counts are whole numbers from 1 on") {
  for (const std::string text : {"0", "-1", "1.5", "x", "", "4294967296", "1 ", "+1"}) {
    INFO(text);
    REQUIRE_CODE(VALUE_OF(Parse({"--cpus=" + text})).Count("--cpus"), kInvalidArgument);
  }
  CHECK(VALUE_OF(VALUE_OF(Parse({"--cpus=4294967295"})).Count("--cpus")) == 4294967295u);
  CHECK(VALUE_OF(VALUE_OF(Parse({})).Count("--cpus")) == std::nullopt);
}

TEST_CASE("seconds have decimals and a bound") {
  using std::chrono::milliseconds;
  const std::pair<std::string, int> good[] = {
      {"0", 0}, {"1", 1000}, {"0.25", 250}, {"0.0001", 1}, {"60", 60000}};
  for (const auto& [text, expected] : good) {
    CHECK(VALUE_OF(VALUE_OF(Parse({"--timeout", text}))
                       .Seconds("--timeout", std::chrono::seconds(60))) == milliseconds(expected));
  }
  for (const std::string text : {"-1", "61", "1e3", "inf", "nan", "", "1s"}) {
    INFO(text);
    REQUIRE_CODE(
        VALUE_OF(Parse({"--timeout", text})).Seconds("--timeout", std::chrono::seconds(60)),
        kInvalidArgument);
  }
}

TEST_CASE("UTF-8 is told from what only looks like it") {
  for (const std::string_view good :
       {"", "a", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xf4\x8f\xbf\xbf"})
    CHECK(IsUtf8(good));
  for (const std::string_view bad :
       {"\x80", "\xc0\x80", "\xc3", "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80",
        "\xf8\x88\x80\x80\x80", "a\xff", "\xe2\x82"})
    CHECK_FALSE(IsUtf8(bad));
}

}  // namespace capsem::cli
