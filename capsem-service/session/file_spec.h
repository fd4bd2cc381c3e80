// Is a request about files one that can be done at all? Pure; every refusal says what helps.
#pragma once

#include "base/status.h"
#include "capsem/process/v1/process.pb.h"

namespace capsem::service {

// Paths, modes, a link's target. Not whether session or file exist.
Status CheckFileRequest(const capsem::process::v1::FileRequest& request);

}  // namespace capsem::service
