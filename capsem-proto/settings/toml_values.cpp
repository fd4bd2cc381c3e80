#include "settings/toml_values.h"

#include <algorithm>
#include <stdexcept>

#include "base/planted.h"

// Debian's toml++ (3.3.0) asserts on some texts that are no TOML ("[[["), and assumes the same when
// asserts are off: here it is an error like any other.
#undef NDEBUG
namespace {
struct AssertionOfToml : std::runtime_error {
  using std::runtime_error::runtime_error;
};
[[noreturn]] void Throw(const char* condition) { throw AssertionOfToml(condition); }
}  // namespace
#define TOML_ASSERT(condition) ((condition) ? void(0) : Throw(#condition))
#define TOML_HEADER_ONLY 1
#define TOML_ENABLE_FORMATTERS 0
#include <toml++/toml.h>

namespace capsem {
namespace {

std::string_view KindOf(toml::node_type type) {
  switch (type) {
    case toml::node_type::table: return "a table";
    case toml::node_type::array: return "an array";
    case toml::node_type::floating_point: return "a number with decimals";
    case toml::node_type::boolean: return "a boolean";
    default: return "a date or a time";
  }
}

TomlValue FromNode(std::string_view key, uint32_t line, const toml::node& node) {
  TomlValue value{std::string(key), line, TomlValue::Other{KindOf(node.type())}};
  if (const auto* number = node.as_integer()) value.value = number->get();
  if (const auto* text = node.as_string()) value.value = text->get();
  return value;
}

// No key and no value of ours has anything but ASCII in it, and toml++ has undefined behaviour for
// some other letters (U+FEBA in a key). Comments may have what they like.
std::string OnlyAscii(std::string_view text) {
  constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  std::string ascii(text);
  std::ranges::replace_if(
      ascii, [](char c) { return (c < ' ' && c != '\t' && c != '\n' && c != '\r') || c == 0x7f; },
      '?');
  return ascii;
}

}  // namespace

StatusOr<std::vector<TomlValue>> ParseToml(std::string_view text, std::string_view file) {
  std::vector<TomlValue> values;
  try {
    for (const auto& [key, node] : toml::parse(OnlyAscii(text))) {
      values.push_back(FromNode(key.str(), key.source().begin.line, node));
    }
  } catch (const toml::parse_error& error) {
    return InvalidArgument("{}:{}: {}", file, error.source().begin.line, error.description());
  } catch (const AssertionOfToml&) {
    if (PLANTED(3)) throw;  // Planted 3: toml++ never asserts.
    return InvalidArgument("{}: this is no TOML", file);
  }
  std::ranges::stable_sort(values, {}, &TomlValue::line);
  return values;
}

}  // namespace capsem
