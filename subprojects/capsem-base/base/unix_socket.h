// Unix sockets by path: bound at 0600, close-on-exec, non-blocking; a path that is too long is
// refused with a word.
#pragma once

#include <sys/types.h>

#include <string>

#include "base/status.h"
#include "base/unique_fd.h"

namespace capsem {

// sun_path holds 108 bytes with its NUL.
inline constexpr size_t kMaxSocketPath = 107;

StatusOr<UniqueFd> ListenUnix(const std::string& path);
StatusOr<UniqueFd> ConnectUnix(const std::string& path);
// Who is at the other end (SO_PEERCRED).
struct PeerCredentials {
  pid_t pid;
  uid_t uid;
};
StatusOr<PeerCredentials> PeerOf(int fd);
Status CheckSocketPath(const std::string& path);

}  // namespace capsem
