// A request for a session → a checked spec with defaults. Pure; every refusal names its limit and
// what helps.
#pragma once

#include <google/protobuf/repeated_field.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "base/status.h"
#include "capsem/v1/sessions.pb.h"
#include "settings/setting_keys.h"
#include "store/session_record.h"
#include "wire/ids.h"

namespace capsem::service {

enum class Emulation { kHardware, kEmulated };

struct SessionSpec {
  std::optional<SessionName> name;
  SessionKind kind = SessionKind::kEphemeral;
  std::string image;
  uint32_t cpus = 0;
  uint32_t memory_mib = 0;
  uint32_t disk_gib = 0;
  std::map<std::string, std::string> env;  // of every command in the session
};

// What is not asked for is as `settings` say; where they say nothing, 2 cpus and 1024 MiB, or 1 and
// 512 when emulated. With a name it is persistent, else ephemeral.
StatusOr<SessionSpec> CheckCreate(const capsem::v1::CreateSessionRequest& request,
                                  Emulation emulation, const Settings& settings);

// Variables for the guest: keys of 1-256 bytes without '=' and NUL, values without NUL, kMaxEnvVars
// of them and kMaxEnvBytes in all; none that steers shells or the loader (LD_*, BASH_ENV, IFS, …).
// The last of two with one key wins.
StatusOr<std::map<std::string, std::string>> CheckEnv(
    const google::protobuf::RepeatedPtrField<capsem::v1::EnvVar>& variables);

}  // namespace capsem::service
