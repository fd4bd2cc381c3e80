// GuestFiles over gRPC; like client, it hides gRPC from the verbs.
#pragma once

#include <memory>

#include "base/loop.h"
#include "guest_files.h"
#include "wire/run_dir.h"

namespace capsem::cli {

std::unique_ptr<GuestFiles> OpenGuestFiles(Loop& loop, const RunDir& dir, std::string session);

}  // namespace capsem::cli
