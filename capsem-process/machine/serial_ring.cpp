#include "machine/serial_ring.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <utility>

#include "base/log.h"

namespace capsem::process {
namespace {

constexpr size_t kChunk = 64 * 1024;
// After QEMU's death its socket holds what fits into the kernel's buffer (2 MiB at most: see
// kConsoleBuffer) and no more.
constexpr int kDrainChunks = 64;
// QEMU sends each byte by itself, and reading each would cost a wake-up, a read and a write. In
// this time come some 300 bytes; what QEMU's end of the socket takes is kConsoleBuffer's.
constexpr std::chrono::milliseconds kGather{1};

}  // namespace

StatusOr<std::unique_ptr<SerialRing>> SerialRing::Create(Loop& loop, UniqueFd socket,
                                                         SerialRingSpec spec) {
  std::unique_ptr<SerialRing> ring(new SerialRing(loop, std::move(socket), std::move(spec)));
  TRY(ring->OpenFile());
  return ring;
}

SerialRing::SerialRing(Loop& loop, UniqueFd socket, SerialRingSpec spec)
    : spec_(std::move(spec)),
      socket_(std::move(socket)),
      budget_(spec_.burst_bytes, spec_.bytes_per_second, Clock::Now()),
      watch_(loop, socket_.get(), [this](int) { OnReadable(); }),
      gather_(loop) {
  watch_.Want(FdWatch::kReadable);
}

Status SerialRing::OpenFile() {
  file_.Reset(
      open(spec_.path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file_.valid()) return FromErrno("open the console log {}", spec_.path);
  struct stat info {};
  if (fstat(file_.get(), &info) != 0) return FromErrno("look at the console log {}", spec_.path);
  file_size_ = static_cast<size_t>(info.st_size);
  return OkStatus();
}

void SerialRing::Drain() {
  for (int chunk = 0; chunk < kDrainChunks; ++chunk) {
    if (!ReadSome()) return;
  }
}

void SerialRing::OnReadable() {
  if (!ReadSome()) return;
  watch_.Want(FdWatch::kNone);
  gather_.Start(kGather, [this] { watch_.Want(FdWatch::kReadable); });
}

bool SerialRing::ReadSome() {
  char chunk[kChunk];
  const ssize_t count = recv(socket_.get(), chunk, sizeof chunk, MSG_DONTWAIT);
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return false;
  if (count <= 0) {
    watch_.Want(0);
    NoteDropped();
    return false;
  }
  Keep(std::string_view(chunk, static_cast<size_t>(count)));
  return true;
}

void SerialRing::Keep(std::string_view bytes) {
  tail_.Append(bytes);
  size_t kept = budget_.Take(bytes.size(), Clock::Now());
  if (kept > 0) {
    NoteDropped();
    kept = Write(bytes.substr(0, kept));
  }
  dropped_ += bytes.size() - kept;
  dropped_unsaid_ += bytes.size() - kept;
}

void SerialRing::NoteDropped() {
  if (dropped_unsaid_ == 0) return;
  const std::string note =
      fmt::format("\n[capsem: {} bytes of the console were dropped here]\n", dropped_unsaid_);
  if (Write(note) == note.size()) dropped_unsaid_ = 0;
}

size_t SerialRing::Write(std::string_view bytes) {
  size_t written = 0;
  while (written < bytes.size()) {
    if (file_.valid() && file_size_ >= spec_.file_bytes) Turn();
    if (!file_.valid()) break;
    const size_t room = spec_.file_bytes - std::min(file_size_, spec_.file_bytes);
    const std::string_view part = bytes.substr(written, room);
    const ssize_t count = write(file_.get(), part.data(), part.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;  // no space, most likely: dropped and counted
    written += static_cast<size_t>(count);
    file_size_ += static_cast<size_t>(count);
  }
  return written;
}

// The newer file becomes the older one. When that fails nothing more is kept: the bound holds.
void SerialRing::Turn() {
  file_.Reset();
  if (rename(spec_.path.c_str(), (spec_.path + ".1").c_str()) != 0) {
    log::Warning("the console log ends here", {{"why", FromErrno("rename {}", spec_.path)}});
    return;
  }
  const Status opened = OpenFile();
  if (!opened.ok()) log::Warning("the console log ends here", {{"why", opened}});
}

}  // namespace capsem::process
