// What a folder holds, told in frames as it is read: bounded, however much there is. Blocks.
#pragma once

#include "files/file_frames.h"
#include "files/file_tree.h"

namespace capsem::agent {

Status ListFolder(const FileTree& tree, const capsem::guest::v1::FileRequest& request,
                  FileFrames& host);

}  // namespace capsem::agent
