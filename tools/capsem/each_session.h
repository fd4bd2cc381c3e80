// What verbs with many sessions say: each that went well on stdout, each that did not on stderr. As
// JSON that is one list, and one {"error": the first, "errors": [each with its session]}.
#pragma once

#include <string>
#include <vector>

#include "args.h"
#include "base/status.h"

namespace capsem::cli {

// The exit code: that of the first failure, else 0. Reads --quiet and --json from `args`.
StatusOr<int> TellEach(const std::vector<std::string>& sessions, const std::vector<Status>& answers,
                       const Args& args);

}  // namespace capsem::cli
