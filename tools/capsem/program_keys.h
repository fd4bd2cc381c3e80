// The keys that our own programs are signed with, made known to a state folder.
//
// The build signs what it stages (MANIFEST beside the programs) with a key of the checkout, whose
// public half lies in trusted_keys.d beside them. Whoever builds an image with these programs into
// a state folder trusts them there: the service starts no program that a trusted key has not
// signed.
#pragma once

#include <string>

#include "base/status.h"

namespace capsem::cli {

// Copies each key of `programs`/trusted_keys.d that `keys`/trusted_keys.d lacks. Ok when there are
// none. Makes the folders.
Status TrustProgramKeys(const std::string& programs, const std::string& keys);

}  // namespace capsem::cli
