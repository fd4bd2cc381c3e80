#include "files/file_frames.h"

#include <sys/socket.h>
#include <unistd.h>

#include "capsem/guest/v1/guest.pb.h"

namespace capsem::agent {
namespace {

constexpr size_t kChunk = 64 * 1024;

Status Gone() { return Cancelled("the host wants no more"); }

}  // namespace

StatusOr<wire::Frame> FileFrames::Next() {
  static char chunk[kChunk];
  for (;;) {
    const auto frame = TRY(reader_.Next());
    if (frame) return *frame;
    const ssize_t count = read(socket_, chunk, sizeof chunk);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return Gone();
    reader_.Feed({chunk, static_cast<size_t>(count)});
  }
}

Status FileFrames::Send(wire::FrameKind kind, std::string_view payload) {
  const auto header = wire::FrameHeader(kind, payload.size());
  TRY(WriteAll({header.data(), header.size()}));
  return WriteAll(payload);
}

Status FileFrames::WriteAll(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return Gone();
    bytes.remove_prefix(static_cast<size_t>(count));
  }
  return OkStatus();
}

void FileFrames::End(const Status& status) {
  capsem::guest::v1::FileEnd end;
  end.set_code(static_cast<uint32_t>(status.code()));
  end.set_cause(std::string(Message(status)));
  end.set_remedy(Remedy(status));
  if (!Send(wire::FrameKind::kFileEnd, end).ok()) return;
  // What is still on its way here would turn the close into a reset, which overtakes the end.
  shutdown(socket_, SHUT_WR);
  static char nowhere[kChunk];
  while (read(socket_, nowhere, sizeof nowhere) > 0) {
  }
}

}  // namespace capsem::agent
