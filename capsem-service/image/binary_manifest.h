// Our own programs on the host: none is started that is not listed, as it is, in the signed
// MANIFEST beside it (tools/image/sign_binaries writes it).
//
// What is checked is the file under the name that is spawned a moment later. Between the two, only
// our own uid could put another there, and it could sign as well.
#pragma once

#include <absl/functional/any_invocable.h>

#include <string>

#include "base/loop.h"
#include "base/status.h"

namespace capsem::service {

struct BinaryPaths {
  std::string folder;  // of the programs and MANIFEST
  std::string trusted_keys;
  std::string verdicts;  // a file
};

// The path of `program`, to be executed. DataLoss: it is not listed, changed, or MANIFEST is
// missing or foreign; the sentence says which. Blocks (0.1 s for a program never seen, else 0.5
// ms).
StatusOr<std::string> CheckBinary(const BinaryPaths& paths, const std::string& program);

// The same on a pool thread; answers on the loop, once, after it returned.
void CheckBinary(Loop& loop, BinaryPaths paths, std::string program,
                 absl::AnyInvocable<void(StatusOr<std::string>)> done);

}  // namespace capsem::service
