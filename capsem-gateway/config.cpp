#include "config.h"

#include <charconv>
#include <limits>
#include <string_view>

#include "guard/parent_watch.h"

namespace capsem::gateway {
namespace {

StatusOr<int> ParseNumber(std::string_view flag, std::string_view text, int least, int most) {
  int number = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < least || number > most) {
    return InvalidArgument("{} {}: a number from {} to {} is needed", flag, text, least, most);
  }
  return number;
}

}  // namespace

StatusOr<Config> Config::FromArguments(int argc, char** argv) {
  Config config;
  for (int i = 1; i < argc; i += 2) {
    const std::string_view flag = argv[i];
    if (i + 1 == argc) return InvalidArgument("the flag {} is unknown or has no value", flag);
    const std::string_view value = argv[i + 1];
    if (flag == "--parent-pid") {
      config.parent = ParsePid(value);
    } else if (flag == "--run-dir") {
      config.run_dir = value;
    } else if (flag == "--log") {
      config.log = value;
    } else if (flag == "--port") {
      config.port = static_cast<uint16_t>(TRY(ParseNumber(flag, value, 0, 65535)));
    } else if (flag == "--ready-fd") {
      config.ready_fd = TRY(ParseNumber(flag, value, 3, std::numeric_limits<int>::max()));
    } else {
      return InvalidArgument("the flag {} is unknown", flag);
    }
  }
  // Whoever has no parent is to leave in peace, not to be told what is missing.
  if (config.parent && config.run_dir.empty()) return InvalidArgument("--run-dir is missing");
  return config;
}

}  // namespace capsem::gateway
