// One operation on files, from its request to its end, in a process of its own: it may wait for any
// file system, also for one that the agent serves. guest.proto says what goes to and fro.
#pragma once

#include "files/file_frames.h"
#include "files/file_tree.h"

namespace capsem::agent {

// Whatever comes of it has been told when it returns.
void ServeFileCall(const FileTree& tree, int socket);

}  // namespace capsem::agent
