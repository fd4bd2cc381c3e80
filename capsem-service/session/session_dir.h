// The folder of one session: made at 0700, with the part that its guest may see; removed with all
// it holds. Blocking: making is two system calls, removing goes to the pool (Loop::RunBlocking).
#pragma once

#include <string>
#include <vector>

#include "base/status.h"
#include "base/unique_fd.h"
#include "wire/ids.h"

namespace capsem::service {

// What those leave who are killed: the sockets of a capsem-process (rpc/endpoint), files that are
// not whole. Only when nothing runs for the session.
void SweepSessionDir(const std::string& path);

// AlreadyExists: the id is taken on disk.
Status MakeSessionDir(const std::string& path);
// Nothing to remove is fine.
Status RemoveSessionDir(const std::string& path);
// What of a failed session is of no more use to anybody: its disk.
void RemoveSessionDisk(const std::string& path);

// NotFound: it has none.
StatusOr<UniqueFd> OpenSessionDisk(const std::string& path);

// The sessions that have a folder below `sessions`; what else lies there is left alone.
std::vector<SessionId> SessionDirsIn(const std::string& sessions);

}  // namespace capsem::service
