// An error for the fields of the API that people read: what happened, and what helps where that is
// known: "no session called x (see `capsem list`)". Pure.
#pragma once

#include <string>

#include "base/status.h"

namespace capsem::service {

inline std::string Sentence(const Status& status) {
  const std::string remedy = Remedy(status);
  if (remedy.empty()) return std::string(Message(status));
  return fmt::format("{} ({})", Message(status), remedy);
}

}  // namespace capsem::service
