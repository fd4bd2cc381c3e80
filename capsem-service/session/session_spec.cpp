#include "session/session_spec.h"

#include <algorithm>
#include <iterator>
#include <string_view>

#include "wire/limits.h"

namespace capsem::service {
namespace {

constexpr size_t kMaxKeyBytes = 256;

// Variables that change what programs load or what shells run, whatever the command says: whoever
// may set a variable would choose the program. A name that ends in * stands for all that begin so.
constexpr std::string_view kSteering[] = {
    "LD_*",      "BASH_ENV", "BASH_FUNC_*",    "ENV", "IFS", "CDPATH", "PS4", "GLOBIGNORE",
    "SHELLOPTS", "BASHOPTS", "PROMPT_COMMAND",
};

// 0 = nobody has said it.
uint32_t FirstOf(std::initializer_list<uint32_t> said) {
  return *std::ranges::find_if(said, [](uint32_t value) { return value != 0; });
}

Status CheckCpus(uint32_t cpus) {
  if (cpus >= wire::kMinCpus && cpus <= wire::kMaxCpus) return OkStatus();
  return WithRemedy(
      InvalidArgument("{} cpus: a session has {} to {}", cpus, wire::kMinCpus, wire::kMaxCpus),
      fmt::format("ask for {} to {} (--cpus)", wire::kMinCpus, wire::kMaxCpus));
}

Status CheckMemory(uint32_t mib) {
  if (mib >= wire::kMinMemoryMib && mib <= wire::kMaxMemoryMib) return OkStatus();
  return WithRemedy(
      InvalidArgument("{} MiB of memory: a session has {} to {}", mib, wire::kMinMemoryMib,
                      wire::kMaxMemoryMib),
      fmt::format("ask for {} to {} MiB (--memory)", wire::kMinMemoryMib, wire::kMaxMemoryMib));
}

Status CheckDisk(uint32_t gib) {
  if (gib >= wire::kMinDiskGib && gib <= wire::kMaxDiskGib) return OkStatus();
  return WithRemedy(
      InvalidArgument("a disk of {} GiB: a session has {} to {}", gib, wire::kMinDiskGib,
                      wire::kMaxDiskGib),
      fmt::format("ask for {} to {} GiB (--disk)", wire::kMinDiskGib, wire::kMaxDiskGib));
}

bool Steers(std::string_view key) {
  return std::any_of(std::begin(kSteering), std::end(kSteering), [key](std::string_view name) {
    return name.ends_with('*') ? key.starts_with(name.substr(0, name.size() - 1)) : key == name;
  });
}

Status CheckVariable(const capsem::v1::EnvVar& variable) {
  const std::string& key = variable.key();
  if (key.empty() || key.size() > kMaxKeyBytes || key.find('=') != std::string::npos ||
      key.find('\0') != std::string::npos) {
    return WithRemedy(
        InvalidArgument("an environment variable with the key \"{}\"", key.substr(0, kMaxKeyBytes)),
        fmt::format("a key has 1 to {} bytes, no '=' and no NUL", kMaxKeyBytes));
  }
  if (variable.value().find('\0') != std::string::npos) {
    return WithRemedy(InvalidArgument("the environment variable {} has a NUL in its value", key),
                      "values are text: encode binary data, or write it to a file");
  }
  if (Steers(key)) {
    return WithRemedy(InvalidArgument("the environment variable {} is not taken from outside: it "
                                      "steers shells or the loader",
                                      key),
                      fmt::format("set it in the command: sh -c 'export {}=…; …'", key));
  }
  return OkStatus();
}

}  // namespace

StatusOr<std::map<std::string, std::string>> CheckEnv(
    const google::protobuf::RepeatedPtrField<capsem::v1::EnvVar>& variables) {
  if (static_cast<size_t>(variables.size()) > wire::kMaxEnvVars) {
    return WithRemedy(InvalidArgument("{} environment variables: {} are the most", variables.size(),
                                      wire::kMaxEnvVars),
                      "write a file of them into the session and source it");
  }
  std::map<std::string, std::string> env;
  size_t bytes = 0;
  for (const auto& variable : variables) {
    TRY(CheckVariable(variable));
    bytes += variable.key().size() + variable.value().size();
    env[variable.key()] = variable.value();
  }
  if (bytes <= wire::kMaxEnvBytes) return env;
  return WithRemedy(InvalidArgument("environment variables of {} bytes: {} are the most", bytes,
                                    wire::kMaxEnvBytes),
                    "write what is large into a file in the session");
}

StatusOr<SessionSpec> CheckCreate(const capsem::v1::CreateSessionRequest& request,
                                  Emulation emulation, const Settings& settings) {
  const bool emulated = emulation == Emulation::kEmulated;
  SessionSpec spec;
  if (!request.name().empty()) spec.name = TRY(SessionName::Parse(request.name()));
  if (spec.name) spec.kind = SessionKind::kPersistent;
  spec.image = request.image().empty() ? settings.default_image : request.image();
  spec.cpus = FirstOf({request.cpus(), settings.default_cpus, emulated ? 1u : 2u});
  spec.memory_mib =
      FirstOf({request.memory_mib(), settings.default_memory_mib, emulated ? 512u : 1024u});
  spec.disk_gib = FirstOf({request.disk_gib(), settings.default_disk_gib});
  TRY(CheckCpus(spec.cpus));
  TRY(CheckMemory(spec.memory_mib));
  TRY(CheckDisk(spec.disk_gib));
  spec.env = TRY(CheckEnv(request.env()));
  return spec;
}

}  // namespace capsem::service
