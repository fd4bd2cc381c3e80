// A part of a file as memory of this process, shared with whoever else maps it; unmapped when its
// owner goes.
#pragma once

#include <cstdint>
#include <span>
#include <utility>

#include "base/status.h"
#include "base/unique_fd.h"

namespace capsem::process {

class MemoryMapping {
 public:
  // Bytes [offset, offset + size) of the file, which must have them all: a touch beyond its end
  // would kill us. The descriptor may be closed afterwards.
  static StatusOr<MemoryMapping> Create(const UniqueFd& file, uint64_t offset, uint64_t size);
  MemoryMapping(MemoryMapping&& other) noexcept
      : start_(std::exchange(other.start_, nullptr)), total_(other.total_), bytes_(other.bytes_) {}
  MemoryMapping& operator=(MemoryMapping&&) = delete;
  ~MemoryMapping();

  std::span<uint8_t> bytes() const { return bytes_; }

 private:
  MemoryMapping(void* start, size_t total, std::span<uint8_t> bytes)
      : start_(start), total_(total), bytes_(bytes) {}

  void* start_;
  size_t total_;
  std::span<uint8_t> bytes_;
};

}  // namespace capsem::process
