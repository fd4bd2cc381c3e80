// Faults planted in the parsers of hostile bytes, for the proof that their fuzz targets find them
// (`tools/dev/fuzz --planted`). A line of a parser says which:
//
//   if (length > most && !PLANTED(1)) return InvalidArgument(…);  // Planted 1: it is believed.
//
// Only the programs NAME_fuzz_planted are compiled with CAPSEM_PLANTED, and CAPSEM_PLANTED_BUG in
// their environment chooses the fault. In everything else PLANTED(n) is the word false.
#pragma once

#ifdef CAPSEM_PLANTED
#include <cstdlib>

namespace capsem {
inline int PlantedBug() {
  static const char* const chosen = std::getenv("CAPSEM_PLANTED_BUG");
  return chosen == nullptr ? 0 : std::atoi(chosen);
}
}  // namespace capsem
#define PLANTED(bug) (::capsem::PlantedBug() == (bug))
#else
#define PLANTED(bug) false
#endif
