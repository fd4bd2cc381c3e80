#include "config.h"

#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <string_view>

namespace capsem::service {
namespace {

constexpr const char* kUsage =
    "capsem-service [--foreground] [--ready-fd N] [--gateway off|PORT]; folders come from "
    "CAPSEM_HOME or XDG; or, for systemd, capsem-service --lift-limits";

Status Usage(std::string_view what) { return WithRemedy(InvalidArgument("{}", what), kUsage); }

StatusOr<int> ParseFd(std::string_view text) {
  int fd = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), fd);
  if (error != std::errc() || end != text.data() + text.size() || fd < 3) {
    return Usage(fmt::format("--ready-fd {}: a descriptor above 2 is needed", text));
  }
  return fd;
}

StatusOr<std::optional<uint16_t>> ParseGateway(std::string_view text) {
  if (text == "off") return std::nullopt;
  uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc() || end != text.data() + text.size()) {
    return Usage(fmt::format("the gateway is off or has a port, 0 for any free one, not {}", text));
  }
  return port;
}

StatusOr<std::string> OwnFolder() {
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error) return ErrnoStatus(error.value(), "find our own programs");
  return self.parent_path().string();
}

}  // namespace

StatusOr<Config> Config::FromArguments(int argc, char** argv) {
  Config config;
  if (const char* gateway = getenv("CAPSEM_GATEWAY")) {
    config.gateway_port = TRY(ParseGateway(gateway));
  }
  for (int i = 1; i < argc; ++i) {
    const std::string_view flag = argv[i];
    if (flag == "--foreground") {
      config.foreground = true;
    } else if (flag == "--test-rpcs") {
      config.test_rpcs = true;
    } else if (flag == "--lift-limits") {
      config.lift_limits = true;
    } else if (flag == "--ready-fd" && i + 1 < argc) {
      config.ready_fd = TRY(ParseFd(argv[++i]));
    } else if (flag == "--gateway" && i + 1 < argc) {
      config.gateway_port = TRY(ParseGateway(argv[++i]));
    } else {
      return Usage(fmt::format("the flag {} is unknown", flag));
    }
  }
  config.dirs = TRY(RunDir::FromEnvironment());
  config.programs = TRY(OwnFolder());
  return config;
}

}  // namespace capsem::service
