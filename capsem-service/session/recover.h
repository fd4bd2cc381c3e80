// At the start of a service: what an earlier one left behind. A capsem-process whose service has
// died is leaving by itself, so every session that is found has no future; its folder goes.
#pragma once

#include <cstddef>
#include <string>

namespace capsem::service {

// Blocking; before anything is served, under the lock that makes this the only service. One log
// line per session. Returns how many were removed.
size_t RecoverSessions(const std::string& sessions_dir);

}  // namespace capsem::service
