// A registry in a scratch folder, for tests.
#pragma once

#include <memory>

#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"
#include "store/registry.h"

namespace capsem::service {

inline std::unique_ptr<Registry> OpenRegistry(Loop& loop, const TempDir& dir) {
  return VALUE_OF(Registry::Open(loop, dir / "registry.db"));
}

}  // namespace capsem::service
