// A growing set of numbers that are given out mostly in order: remembered as ranges, so that a
// machine that has run a million commands knows them all in a few bytes. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>

namespace capsem::agent {

class IdSet {
 public:
  // False: it was there already.
  bool Insert(uint64_t id);
  bool Contains(uint64_t id) const;
  size_t ranges() const { return ranges_.size(); }

 private:
  std::map<uint64_t, uint64_t> ranges_;  // first → last
};

}  // namespace capsem::agent
