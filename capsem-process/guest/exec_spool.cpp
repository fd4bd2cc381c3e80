#include "guest/exec_spool.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include "base/log.h"
#include "base/unique_fd.h"

namespace capsem::process {
namespace {

constexpr size_t kHeader = 1 + sizeof(uint32_t);
// Most commands write less in all; whoever writes more fills a chunk.
constexpr size_t kSmall = 4096;
// A new record of less is not worth its header.
constexpr size_t kLeastRecord = kHeader + 1;

uint32_t LengthAt(const std::string& records, size_t record) {
  uint32_t length;
  memcpy(&length, records.data() + record + 1, sizeof length);
  return length;
}

void SetLength(std::string& records, size_t record, uint32_t length) {
  memcpy(records.data() + record + 1, &length, sizeof length);
}

}  // namespace

// Without state, so that several threads of the pool may use it: it is opened for each use.
class ExecSpool::File {
 public:
  explicit File(std::string path) : path_(std::move(path)) {}
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  ~File() { unlink(path_.c_str()); }

  struct Part {
    std::shared_ptr<const std::string> bytes;
    size_t place;
  };

  Status Write(const std::vector<Part>& parts) const {
    const UniqueFd fd = Open(O_WRONLY | O_CREAT);
    if (!fd.valid()) return FromErrno("open {}", path_);
    for (const Part& part : parts) TRY(WriteAt(fd.get(), *part.bytes, part.place));
    return OkStatus();
  }

  StatusOr<std::string> Read(size_t size, size_t place) const {
    const UniqueFd fd = Open(O_RDONLY);
    std::string bytes(size, '\0');
    const ssize_t count =
        fd.valid() ? pread(fd.get(), bytes.data(), size, static_cast<off_t>(place)) : -1;
    if (count == static_cast<ssize_t>(size)) return bytes;
    return DataLoss("the output that was kept in {} cannot be read any more", path_);
  }

 private:
  Status WriteAt(int fd, std::string_view bytes, size_t place) const {
    while (!bytes.empty()) {
      const ssize_t count = pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(place));
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) return FromErrno("write {}", path_);
      bytes.remove_prefix(static_cast<size_t>(count));
      place += static_cast<size_t>(count);
    }
    return OkStatus();
  }
  UniqueFd Open(int how) const {
    const int flags = how | O_CLOEXEC | O_NOFOLLOW;
    UniqueFd fd(open(path_.c_str(), flags, 0600));
    if (fd.valid() || errno != ENOENT || (how & O_CREAT) == 0) return fd;
    mkdir(path_.substr(0, path_.rfind('/')).c_str(), 0700);
    return UniqueFd(open(path_.c_str(), flags, 0600));
  }

  const std::string path_;
};

ExecSpool::ExecSpool(Loop& loop, std::string path, Limits limits,
                     absl::AnyInvocable<void()> on_change)
    : loop_(loop), path_(std::move(path)), limits_(limits), on_change_(std::move(on_change)) {}

void ExecSpool::Append(OutputStream stream, std::string_view bytes) {
  while (!bytes.empty()) {
    if (chunks_.empty() || chunks_.back().size + kLeastRecord > kChunk) AddChunk();
    Chunk& chunk = chunks_.back();
    std::string& records = *chunk.records;
    const bool go_on = chunk.size > 0 && records[chunk.last] == static_cast<char>(stream);
    if (!go_on) {
      chunk.last = records.size();
      records.push_back(static_cast<char>(stream));
      records.append(sizeof(uint32_t), '\0');
    }
    const std::string_view piece = bytes.substr(0, kChunk - records.size());
    if (records.size() + piece.size() > kSmall) records.reserve(kChunk);
    SetLength(records, chunk.last,
              LengthAt(records, chunk.last) + static_cast<uint32_t>(piece.size()));
    records.append(piece);
    chunk.size = records.size();
    end_ += piece.size();
    bytes.remove_prefix(piece.size());
  }
  WriteNext();
}

uint64_t ExecSpool::next_begin() const {
  return chunks_.size() > kChunksOfFrame ? chunks_[kChunksOfFrame].offset : end_;
}

void ExecSpool::AddChunk() {
  while (chunks_.size() >= MostChunks()) {
    chunks_.pop_front();
    if (in_file_ > 0) --in_file_;
  }
  chunks_.push_back({end_, next_number_++, std::make_shared<std::string>()});
}

void ExecSpool::Close() {
  limits_.memory = 0;
  WriteNext();
}

size_t ExecSpool::BatchChunks() const { return std::max(MemoryChunks() / 2, size_t{1}); }

void ExecSpool::WriteNext() {
  if (writing_ || broken_) return;
  // The last one may still grow.
  const size_t stay = std::max(MemoryChunks(), size_t{1});
  if (Unwritten() < stay + BatchChunks()) return;
  if (!file_) file_ = std::make_shared<File>(path_);
  writing_ = true;
  std::vector<File::Part> parts;
  for (size_t i = in_file_; i + stay < chunks_.size(); ++i)
    parts.push_back({chunks_[i].records, Place(chunks_[i].number)});
  const size_t count = parts.size();
  const auto written = std::make_shared<Status>();
  loop_.RunBlocking(
      [file = file_, parts = std::move(parts), written] { *written = file->Write(parts); },
      [self = weak_.Get(), number = chunks_[in_file_].number, count, written] {
        if (self) self->OnWritten(number, count, *written);
      });
}

void ExecSpool::OnWritten(uint64_t number, size_t count, const Status& written) {
  const bool was_behind = behind();
  writing_ = false;
  if (!written.ok()) {
    broken_ = true;
    log::Warning("a command's output is kept in memory only", {{"why", written}});
  }
  // The oldest of them may have gone meanwhile.
  while (!broken_ && in_file_ < chunks_.size() && chunks_[in_file_].number < number + count) {
    chunks_[in_file_].records.reset();
    ++in_file_;
  }
  WriteNext();
  if (was_behind && !behind()) on_change_();
}

const ExecSpool::Chunk& ExecSpool::ChunkOf(Cursor& cursor) const {
  const uint64_t first = chunks_.front().number;
  if (cursor.chunk_ >= first && cursor.chunk_ < next_number_) {
    const size_t index = cursor.chunk_ - first;
    const bool past = index + 1 < chunks_.size() && chunks_[index + 1].offset <= cursor.offset_;
    if (!past) return chunks_[index];
  }
  const auto after =
      std::upper_bound(chunks_.begin(), chunks_.end(), cursor.offset_,
                       [](uint64_t offset, const Chunk& chunk) { return offset < chunk.offset; });
  const Chunk& chunk = *std::prev(after);
  cursor.chunk_ = chunk.number;
  cursor.record_ = 0;
  cursor.record_offset_ = chunk.offset;
  return chunk;
}

StatusOr<const std::string*> ExecSpool::RecordsOf(const Chunk& chunk, Cursor& cursor) {
  if (chunk.records) return chunk.records.get();
  if (cursor.loaded_ && cursor.loaded_->number == chunk.number) {
    auto& records = cursor.loaded_->records;
    if (!records) return nullptr;
    if (!records->ok()) return records->status();
    return &**records;
  }
  cursor.loaded_ = std::make_shared<Cursor::Loaded>(Cursor::Loaded{chunk.number, {}});
  // The pool fills one of its own: the cursor's is looked at meanwhile.
  const auto read = std::make_shared<StatusOr<std::string>>();
  loop_.RunBlocking([file = file_, size = chunk.size, place = Place(chunk.number),
                     read] { *read = file->Read(size, place); },
                    [self = weak_.Get(), loaded = cursor.loaded_, read] {
                      loaded->records = std::move(*read);
                      if (self) self->on_change_();
                    });
  return nullptr;
}

StatusOr<std::optional<ExecSpool::Piece>> ExecSpool::Look(Cursor& cursor) {
  if (cursor.offset_ >= end_) return std::nullopt;
  const Chunk& chunk = ChunkOf(cursor);
  const std::string* const records = TRY(RecordsOf(chunk, cursor));
  if (records == nullptr) return std::nullopt;
  uint32_t length = LengthAt(*records, cursor.record_);
  while (cursor.record_offset_ + length <= cursor.offset_) {
    cursor.record_ += kHeader + length;
    cursor.record_offset_ += length;
    length = LengthAt(*records, cursor.record_);
  }
  const auto stream = static_cast<OutputStream>((*records)[cursor.record_]);
  const std::string_view bytes(records->data() + cursor.record_ + kHeader, length);
  return Piece{stream, bytes.substr(cursor.offset_ - cursor.record_offset_)};
}

}  // namespace capsem::process
