#include "auth/origin.h"

#include <algorithm>
#include <array>
#include <string>

namespace capsem::gateway {
namespace {

constexpr std::array<std::string_view, 2> kHosts = {"127.0.0.1", "localhost"};
constexpr std::array<std::string_view, 6> kOrigins = {"http://localhost",  "http://127.0.0.1",
                                                      "http://[::1]",      "https://localhost",
                                                      "https://127.0.0.1", "https://[::1]"};

bool IsPort(std::string_view text) {
  return !text.empty() && text.size() <= 5 && text[0] != '0' &&
         std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

bool IsOurHost(std::string_view host, uint16_t port) {
  const std::string suffix = ":" + std::to_string(port);
  return std::ranges::any_of(kHosts, [&](std::string_view name) {
    return host == std::string(name) + suffix || (port == 80 && host == name);
  });
}

bool IsLocalOrigin(std::string_view origin) {
  if (origin == "tauri://localhost") return true;
  return std::ranges::any_of(kOrigins, [&](std::string_view known) {
    if (!origin.starts_with(known)) return false;
    const std::string_view rest = origin.substr(known.size());
    return rest.empty() || (rest[0] == ':' && IsPort(rest.substr(1)));
  });
}

}  // namespace capsem::gateway
