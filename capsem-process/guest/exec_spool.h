// What one command has written, as far as it is kept: the last 1 to 1.5 kExecSpoolMemory in memory,
// what is older in a file of the session's folder, `exec_spool_mib` together. Bytes have offsets,
// stdout and stderr counted together, in the order in which they came. Owned by the command's
// record; loop thread. The file is written and read on the pool, and is gone with the last of those
// who use it.
//
// Bytes lie in chunks of at most kChunk, as records {u8 stream, u32 length, bytes}: what a hostile
// guest makes of many small writes takes memory and file like the bytes themselves. A chunk that is
// full does not change any more.
#pragma once

#include <absl/functional/any_invocable.h>

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/loop.h"
#include "base/status.h"
#include "base/weak.h"
#include "wire/limits.h"

namespace capsem::process {

enum class OutputStream : uint8_t { kStdout = 1, kStderr = 2 };

// Where commands are kept, and how much of each.
struct SpoolPlace {
  std::string path;  // of one's file, or the folder of all
  size_t bytes = wire::kExecSpool;
};

class ExecSpool {
 public:
  static constexpr size_t kChunk = 64 * 1024;
  struct Limits {
    size_t memory = wire::kExecSpoolMemory;
    size_t total = wire::kExecSpool;
  };
  struct Piece {
    OutputStream stream;
    std::string_view bytes;  // until the next call of the cursor or the spool
  };
  // Where a reader is. May be copied; belongs to one spool.
  class Cursor;

  // The file is made when it is needed, and its folder with it. `on_change`: what could not be
  // looked at is there now, or there is room again.
  ExecSpool(Loop& loop, std::string path, Limits limits, absl::AnyInvocable<void()> on_change);
  ExecSpool(const ExecSpool&) = delete;
  ExecSpool& operator=(const ExecSpool&) = delete;

  // [begin, end) is what there is.
  uint64_t begin() const { return chunks_.empty() ? end_ : chunks_.front().offset; }
  uint64_t end() const { return end_; }
  // The next frame of output, and `spare` chunks after it, may push the oldest bytes out: Append
  // does not ask.
  bool full(size_t spare = 0) const {
    return chunks_.size() + kChunksOfFrame + spare > MostChunks();
  }
  // Where `begin` would be then, at the most.
  uint64_t next_begin() const;
  // The file is behind: more would only wait in memory.
  bool behind() const { return !broken_ && Unwritten() > 2 * MemoryChunks(); }
  void Append(OutputStream stream, std::string_view bytes);
  // Nothing will be added: it goes to the file, all but a chunk of it.
  void Close();
  // Bytes in the file.
  size_t file_bytes() const { return in_file_ * kChunk; }

  // What is at the cursor, in one piece. nullopt: nothing yet, or it is on its way from the file.
  // DataLoss: the file cannot be read. The cursor lies in [begin, end].
  StatusOr<std::optional<Piece>> Look(Cursor& cursor);

 private:
  class File;
  struct Chunk {
    uint64_t offset;                       // of its first byte of output
    uint64_t number;                       // of all chunks there were
    std::shared_ptr<std::string> records;  // null: in the file
    size_t size = 0;                       // of the records
    size_t last = 0;                       // where the last record begins
  };
  // Of 64 KiB, with the headers of its records, and what is left of the chunk before.
  static constexpr size_t kChunksOfFrame = 2;

  size_t MemoryChunks() const { return limits_.memory / kChunk; }
  // More than MemoryChunks wait for so many to be written at once.
  size_t BatchChunks() const;
  size_t Slots() const { return limits_.total / kChunk; }
  size_t MostChunks() const { return broken_ ? in_file_ + 2 * MemoryChunks() : Slots(); }
  size_t Unwritten() const { return chunks_.size() - in_file_; }
  void AddChunk();
  void WriteNext();
  void OnWritten(uint64_t number, size_t count, const Status& written);
  const Chunk& ChunkOf(Cursor& cursor) const;
  // Null: it is on its way.
  StatusOr<const std::string*> RecordsOf(const Chunk& chunk, Cursor& cursor);
  size_t Place(uint64_t number) const { return number % Slots() * kChunk; }

  Loop& loop_;
  const std::string path_;
  Limits limits_;
  absl::AnyInvocable<void()> on_change_;
  std::shared_ptr<File> file_;
  std::deque<Chunk> chunks_;  // oldest first
  size_t in_file_ = 0;        // so many of the first ones
  uint64_t end_ = 0;
  uint64_t next_number_ = 0;
  bool writing_ = false;
  bool broken_ = false;  // the file cannot be written: from here on all is in memory, and less
  WeakOwner<ExecSpool> weak_{this};
};

class ExecSpool::Cursor {
 public:
  explicit Cursor(uint64_t offset) : offset_(offset) {}
  uint64_t offset() const { return offset_; }
  void Advance(size_t bytes) { offset_ += bytes; }

 private:
  friend class ExecSpool;
  // A chunk from the file, or on its way; shared with the pool.
  struct Loaded {
    uint64_t number;
    std::optional<StatusOr<std::string>> records;
  };
  uint64_t offset_;
  // A record at or before `offset_`, to go on from.
  uint64_t chunk_ = UINT64_MAX;
  size_t record_ = 0;
  uint64_t record_offset_ = 0;
  std::shared_ptr<Loaded> loaded_;
};

}  // namespace capsem::process
