#include "exec/id_set.h"

#include <iterator>

namespace capsem::agent {

bool IdSet::Contains(uint64_t id) const {
  const auto after = ranges_.upper_bound(id);
  return after != ranges_.begin() && std::prev(after)->second >= id;
}

bool IdSet::Insert(uint64_t id) {
  if (Contains(id)) return false;
  const auto after = ranges_.upper_bound(id);
  const bool joins_after = after != ranges_.end() && after->first == id + 1;
  const uint64_t last = joins_after ? after->second : id;
  if (after != ranges_.begin() && std::prev(after)->second + 1 == id)
    std::prev(after)->second = last;
  else
    ranges_.emplace(id, last);
  if (joins_after) ranges_.erase(after);
  return true;
}

}  // namespace capsem::agent
