#include "session/recover.h"

#include "base/log.h"
#include "session/session_dir.h"

namespace capsem::service {

size_t RecoverSessions(const std::string& sessions_dir) {
  size_t removed = 0;
  for (const SessionId& id : SessionDirsIn(sessions_dir)) {
    const Status status = RemoveSessionDir(sessions_dir + "/" + id.text());
    if (status.ok()) {
      ++removed;
      log::Info("removed what was left of a session", {{"session", id.text()}});
    } else {
      log::Error("what was left of a session stays", {{"session", id.text()}, {"reason", status}});
    }
  }
  return removed;
}

}  // namespace capsem::service
