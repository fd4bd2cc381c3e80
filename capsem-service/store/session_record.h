// A session as the registry keeps it: what must be known of it when the service starts again.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "base/process_id.h"
#include "wire/ids.h"

namespace capsem::service {

// What ends it: its machine's stop, nobody but its user, or the end of the call that made it.
enum class SessionKind { kEphemeral, kPersistent, kBound };

struct SessionRecord {
  enum class State { kCreating, kRunning, kStopped, kFailed };

  SessionId id;
  std::optional<SessionName> name = {};
  SessionKind kind = SessionKind::kEphemeral;
  State state = State::kCreating;
  std::string reason = {};
  std::string image = {};
  std::string image_digest = {};
  uint32_t cpus = 0;
  uint32_t memory_mib = 0;
  uint32_t disk_gib = 0;  // how large its disk may grow
  bool kvm = false;       // how it was started last
  bool used = false;      // its guest has been up on its disk
  int64_t created_unix_ms = 0;
  std::map<std::string, std::string> env = {};
  std::string secret = {};  // hex; what its capsem-process knows it by
  ProcessId process = {};   // its capsem-process, while its machine lives

  bool operator==(const SessionRecord&) const = default;
};

}  // namespace capsem::service
