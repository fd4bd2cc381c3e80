#include "args.h"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace capsem::cli {
namespace {

constexpr Option kHelp{"-h, --help", "", ""};

std::vector<std::string_view> Names(const Option& option) {
  std::vector<std::string_view> names;
  for (std::string_view rest = option.names; !rest.empty();) {
    const size_t comma = rest.find(", ");
    names.push_back(rest.substr(0, comma));
    rest = comma == std::string_view::npos ? "" : rest.substr(comma + 2);
  }
  return names;
}

Status Misuse(Status status) { return WithRemedy(std::move(status), "add --help to see how"); }

template <typename Number>
std::optional<Number> ParseWhole(std::string_view text) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

}  // namespace

class ArgsParser {
 public:
  ArgsParser(const std::vector<std::string>& words, const std::vector<Option>& options,
             size_t own_words)
      : words_(words), options_(options), own_words_(own_words) {}

  StatusOr<Args> Parse() {
    while (next_ < words_.size()) {
      const std::string& word = words_[next_];
      if (!IsUtf8(word)) return Misuse(InvalidArgument("argument {} is not UTF-8", next_ + 1));
      ++next_;
      if (options_over_ || word.size() < 2 || word[0] != '-') {
        // From the first word of the guest's command on nothing is ours.
        if (args_.words_.size() >= own_words_) options_over_ = true;
        args_.words_.push_back(word);
      } else if (word == "--") {
        options_over_ = true;
      } else {
        TRY(ParseOption(word));
      }
    }
    return std::move(args_);
  }

 private:
  Status ParseOption(std::string_view word) {
    const size_t equals = word.substr(0, 2) == "--" ? word.find('=') : std::string_view::npos;
    const std::string_view name = word.substr(0, equals);
    const Option* option = Find(name);
    if (option == nullptr && AreFlags(word)) return AddFlags(word);
    if (option == nullptr) return Misuse(InvalidArgument("there is no option {}", name));
    const std::string canonical(Names(*option).back());
    if (option->value.empty()) {
      if (equals == std::string_view::npos) return Add(canonical, "");
      return Misuse(InvalidArgument("{} takes no value", name));
    }
    if (equals != std::string_view::npos) return Add(canonical, word.substr(equals + 1));
    if (next_ == words_.size())
      return Misuse(InvalidArgument("{} wants a value: {} {}", name, name, option->value));
    if (!IsUtf8(words_[next_]))
      return Misuse(InvalidArgument("argument {} is not UTF-8", next_ + 1));
    return Add(canonical, words_[next_++]);
  }

  // "-it": one letter each, none with a value.
  bool AreFlags(std::string_view word) const {
    if (word.size() < 3 || word[1] == '-') return false;
    return std::all_of(word.begin() + 1, word.end(), [this](char letter) {
      const Option* option = Find(std::string{'-', letter});
      return option != nullptr && option->value.empty();
    });
  }
  Status AddFlags(std::string_view word) {
    for (const char letter : word.substr(1)) TRY(ParseOption(std::string{'-', letter}));
    return OkStatus();
  }

  const Option* Find(std::string_view name) const {
    for (const Option& option : options_) {
      for (const std::string_view known : Names(option)) {
        if (known == name) return &option;
      }
    }
    return name == "-h" || name == "--help" ? &kHelp : nullptr;
  }

  Status Add(const std::string& name, std::string_view value) {
    args_.values_[name].emplace_back(value);
    return OkStatus();
  }

  const std::vector<std::string>& words_;
  const std::vector<Option>& options_;
  const size_t own_words_;
  size_t next_ = 0;
  bool options_over_ = false;
  Args args_;
};

StatusOr<Args> Args::Parse(const std::vector<std::string>& words,
                           const std::vector<Option>& options, size_t own_words) {
  return ArgsParser(words, options, own_words).Parse();
}

std::optional<std::string> Args::Text(std::string_view name) const {
  const auto found = values_.find(name);
  if (found == values_.end()) return std::nullopt;
  return found->second.back();
}

std::vector<std::string> Args::Texts(std::string_view name) const {
  const auto found = values_.find(name);
  return found == values_.end() ? std::vector<std::string>() : found->second;
}

StatusOr<std::optional<uint32_t>> Args::Number(std::string_view name) const {
  const std::optional<std::string> text = Text(name);
  if (!text) return std::optional<uint32_t>();
  const std::optional<uint32_t> number = ParseWhole<uint32_t>(*text);
  if (!number) return Misuse(InvalidArgument("{} {} is no whole number", name, *text));
  return number;
}

StatusOr<std::optional<uint32_t>> Args::Count(std::string_view name) const {
  const std::optional<std::string> text = Text(name);
  const auto number = Number(name);
  if (text && number.value_or(0).value_or(0) == 0)
    return Misuse(InvalidArgument("{} {} is no whole number from 1 on", name, *text));
  return number;
}

StatusOr<std::optional<std::chrono::milliseconds>> Args::Seconds(std::string_view name,
                                                                 std::chrono::seconds most) const {
  const std::optional<std::string> text = Text(name);
  if (!text) return std::optional<std::chrono::milliseconds>();
  const std::optional<double> seconds = ParseDecimal(*text);
  if (!seconds || *seconds < 0 || *seconds > static_cast<double>(most.count()))
    return Misuse(
        InvalidArgument("{} {} is no number of seconds from 0 to {}", name, *text, most.count()));
  return std::chrono::milliseconds(std::lround(std::ceil(*seconds * 1000)));
}

Status NoWords(const Args& args, std::string_view verb) {
  if (args.words().empty()) return OkStatus();
  return WithRemedy(InvalidArgument("{} takes no {}", verb, args.words().front()),
                    fmt::format("see `capsem {} --help`", verb));
}

std::optional<double> ParseDecimal(std::string_view text) {
  double number = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(number))
    return std::nullopt;
  return number;
}

bool IsUtf8(std::string_view text) {
  size_t i = 0;
  const auto byte = [&](size_t at) { return static_cast<unsigned char>(text[at]); };
  while (i < text.size()) {
    const unsigned char lead = byte(i);
    const size_t length = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    if (length > 1 && (lead < 0xc2 || lead > 0xf4)) return false;
    if (i + length > text.size()) return false;
    for (size_t k = 1; k < length; ++k) {
      if ((byte(i + k) & 0xc0) != 0x80) return false;
    }
    // Overlong forms, UTF-16 surrogates and what lies above U+10FFFF.
    if (lead == 0xe0 && byte(i + 1) < 0xa0) return false;
    if (lead == 0xed && byte(i + 1) > 0x9f) return false;
    if (lead == 0xf0 && byte(i + 1) < 0x90) return false;
    if (lead == 0xf4 && byte(i + 1) > 0x8f) return false;
    i += length;
  }
  return true;
}

}  // namespace capsem::cli
