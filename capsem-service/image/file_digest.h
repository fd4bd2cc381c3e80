// SHA-256 of bytes and of whole files, as lower case hex: how manifests name content.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"

namespace capsem::service {

std::string Sha256Hex(std::string_view bytes);
// Of an open regular file from its begin to its end, whatever its offset; that stays. Blocks for
// about 0.7 s per GiB: for RunBlocking.
StatusOr<std::string> Sha256HexOfFile(int fd);

}  // namespace capsem::service
