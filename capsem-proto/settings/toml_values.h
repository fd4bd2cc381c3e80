// A TOML text as the list of its values, each with its line. Around toml++, which no other file
// includes; pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/status.h"

namespace capsem {

struct TomlValue {
  // What it is when no key of ours could take it: "a table", "a date".
  struct Other {
    std::string_view kind;
  };

  std::string key;
  uint32_t line = 0;  // the first one is 1
  std::variant<int64_t, std::string, Other> value;
};

// Those of the top level, by line; what is not ASCII in them is '?'. InvalidArgument: the text is
// no TOML, "FILE:LINE: what is wrong" (for a few texts only "FILE: …").
StatusOr<std::vector<TomlValue>> ParseToml(std::string_view text, std::string_view file);

}  // namespace capsem
