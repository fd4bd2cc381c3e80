#include "supervise/child_env.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <string_view>

namespace capsem::service {
namespace {

constexpr std::array<std::string_view, 4> kAllowed = {"LANG", "LC_ALL", "TZ", "CAPSEM_LOG"};
constexpr char kPath[] = "PATH=/usr/local/bin:/usr/bin:/bin";

}  // namespace

std::vector<std::string> ChildEnv(const std::vector<std::string>& environment) {
  std::vector<std::string> result = {kPath};
  for (const std::string& entry : environment) {
    const std::string_view key = std::string_view(entry).substr(0, entry.find('='));
    if (std::ranges::find(kAllowed, key) != kAllowed.end()) result.push_back(entry);
  }
  return result;
}

std::vector<std::string> OwnEnvironment() {
  std::vector<std::string> result;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry)
    result.emplace_back(*entry);
  return result;
}

}  // namespace capsem::service
