#include "files/file_server.h"

#include <fcntl.h>
#include <unistd.h>

#include "files/file_error.h"
#include "files/folder_list.h"
#include "files/folder_verbs.h"
#include "files/new_file.h"

namespace capsem::agent {
namespace {

using capsem::guest::v1::FileRequest;
using wire::FrameKind;

std::optional<mode_t> ModeOf(const FileRequest& request) {
  return request.has_mode() ? std::optional<mode_t>(request.mode()) : std::nullopt;
}

Status TellInfo(const StatusOr<capsem::guest::v1::FileInfo>& info, FileFrames& host) {
  if (!info.ok()) return info.status();
  return host.Send(FrameKind::kFileInfo, *info);
}

Status Read(const FileTree& tree, const FileRequest& request, FileFrames& host) {
  const auto found = TRY(tree.Look(request.path(), FileTree::LastLink::kFollow));
  if (S_ISDIR(found.stat.st_mode)) return FileError(EISDIR, found.path);
  const UniqueFd file = TRY(tree.Reopen(found, O_RDONLY));
  TRY(host.Send(FrameKind::kFileInfo, InfoOf(found)));
  static char chunk[wire::kMaxFileData];
  for (;;) {
    const ssize_t count = read(file.get(), chunk, sizeof chunk);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return FileError(errno, found.path);
    if (count == 0) return OkStatus();
    TRY(host.Send(FrameKind::kFileData, {chunk, static_cast<size_t>(count)}));
  }
}

Status Write(const FileTree& tree, const FileRequest& request, FileFrames& host) {
  using Existing = NewFile::Existing;
  const auto existing = request.create_only() ? Existing::kRefuse : Existing::kReplace;
  NewFile file = TRY(NewFile::Create(tree, request.path(), ModeOf(request), existing));
  for (;;) {
    const wire::Frame frame = TRY(host.Next());
    if (frame.kind == FrameKind::kFileCommit) break;
    if (frame.kind != FrameKind::kFileData)
      return InvalidArgument("a frame of kind {} is out of place", static_cast<int>(frame.kind));
    TRY(file.Write(frame.payload));
  }
  return host.Send(FrameKind::kFileInfo, TRY(file.Commit()));
}

Status Stat(const FileTree& tree, const FileRequest& request, FileFrames& host) {
  const auto last = request.follow() ? FileTree::LastLink::kFollow : FileTree::LastLink::kKeep;
  return host.Send(FrameKind::kFileInfo, InfoOf(TRY(tree.Look(request.path(), last))));
}

StatusOr<FileRequest> NextRequest(FileFrames& host) {
  const wire::Frame frame = TRY(host.Next());
  FileRequest request;
  if (frame.kind != FrameKind::kFileRequest ||
      !request.ParseFromArray(frame.payload.data(), static_cast<int>(frame.payload.size())))
    return InvalidArgument("the request cannot be read");
  return request;
}

Status Serve(const FileTree& tree, FileFrames& host) {
  const FileRequest request = TRY(NextRequest(host));
  switch (request.verb()) {
    case capsem::guest::v1::FILE_VERB_READ: return Read(tree, request, host);
    case capsem::guest::v1::FILE_VERB_WRITE: return Write(tree, request, host);
    case capsem::guest::v1::FILE_VERB_STAT: return Stat(tree, request, host);
    case capsem::guest::v1::FILE_VERB_LIST: return ListFolder(tree, request, host);
    case capsem::guest::v1::FILE_VERB_MKDIR:
      return TellInfo(MakeFolder(tree, request.path(), ModeOf(request), request.parents()), host);
    case capsem::guest::v1::FILE_VERB_RENAME:
      return TellInfo(RenameEntry(tree, request.path(), request.other(), request.replace()), host);
    case capsem::guest::v1::FILE_VERB_REMOVE:
      return RemoveEntry(tree, request.path(), request.recursive());
    case capsem::guest::v1::FILE_VERB_SYMLINK:
      return TellInfo(MakeSymlink(tree, request.path(), request.other(), request.replace()), host);
    default: break;
  }
  return WithRemedy(Unimplemented("the session's system is older than this call"),
                    "start the session anew from an image of today: `capsem image build`");
}

}  // namespace

void ServeFileCall(const FileTree& tree, int socket) {
  FileFrames host(socket);
  host.End(Serve(tree, host));
}

}  // namespace capsem::agent
