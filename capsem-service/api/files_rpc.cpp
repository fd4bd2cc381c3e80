#include "api/files_rpc.h"

#include <utility>

namespace capsem::service {

using namespace capsem::v1;  // every second word here is one of its messages

namespace {

ReadFileEvent ToReadEvent(FileEvent event) {
  ReadFileEvent shown;
  if (event.has_info()) {
    *shown.mutable_info() = std::move(*event.mutable_info());
  } else {
    shown.set_data(std::move(*event.mutable_data()));
  }
  return shown;
}

ListFilesResponse ToListResponse(FileEvent event) { return std::move(*event.mutable_entries()); }

}  // namespace

template <typename Call>
Call& FilesRpc::Keep(
    absl::AnyInvocable<std::unique_ptr<Call>(absl::AnyInvocable<void()> on_over)> make) {
  const auto place = calls_.emplace(calls_.end());
  auto call = make([this, place] {
    // Later: an event of the call's own streams may be on the stack.
    loop_.Post([self = weak_.Get(), place] {
      if (self) self->calls_.erase(place);
    });
  });
  Call& kept = *call;
  *place = std::move(call);
  return kept;
}

void FilesRpc::Ask(const std::string& session, FileRequest request, FileQuestion::Done done) {
  Keep<FileQuestion>([&](auto on_over) {
    return std::make_unique<FileQuestion>(std::move(done), std::move(on_over));
  }).Start(table_, session, std::move(request));
}

grpc::ServerWriteReactor<grpc::ByteBuffer>* FilesRpc::Read(Context*, const Bytes* in) {
  using Feed = FileFeed<ReadFileEvent>;
  return Feed::Stream::Accept<ReadFileRequest>(
      loop_, in, [this](const ReadFileRequest& request, std::unique_ptr<Feed::Stream> stream) {
        FileRequest wanted;
        *wanted.mutable_read() = request;
        Keep<Feed>([&](auto on_over) {
          return std::make_unique<Feed>(std::move(stream), ToReadEvent, std::move(on_over));
        }).Start(table_, request.session(), std::move(wanted));
      });
}

grpc::ServerWriteReactor<grpc::ByteBuffer>* FilesRpc::List(Context*, const Bytes* in) {
  using Feed = FileFeed<ListFilesResponse>;
  return Feed::Stream::Accept<ListFilesRequest>(
      loop_, in, [this](const ListFilesRequest& request, std::unique_ptr<Feed::Stream> stream) {
        FileRequest wanted;
        *wanted.mutable_list() = request;
        Keep<Feed>([&](auto on_over) {
          return std::make_unique<Feed>(std::move(stream), ToListResponse, std::move(on_over));
        }).Start(table_, request.session(), std::move(wanted));
      });
}

grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* FilesRpc::Write(Context*) {
  return FileUpload::Stream::Accept(loop_, [this](std::unique_ptr<FileUpload::Stream> stream) {
    Keep<FileUpload>([&](auto on_over) {
      return std::make_unique<FileUpload>(table_, std::move(stream), std::move(on_over));
    });
  });
}

FilesRpc::Unary* FilesRpc::Stat(Context*, const Bytes* in, Bytes* out) {
  return AskInfo<StatFileRequest>(in, out, [](const StatFileRequest& request) {
    FileRequest wanted;
    *wanted.mutable_stat() = request;
    return wanted;
  });
}

FilesRpc::Unary* FilesRpc::Mkdir(Context*, const Bytes* in, Bytes* out) {
  return AskInfo<MakeFolderRequest>(in, out, [](const MakeFolderRequest& request) {
    FileRequest wanted;
    *wanted.mutable_mkdir() = request;
    return wanted;
  });
}

FilesRpc::Unary* FilesRpc::Rename(Context*, const Bytes* in, Bytes* out) {
  return AskInfo<RenameFileRequest>(in, out, [](const RenameFileRequest& request) {
    FileRequest wanted;
    *wanted.mutable_rename() = request;
    return wanted;
  });
}

FilesRpc::Unary* FilesRpc::Symlink(Context*, const Bytes* in, Bytes* out) {
  return AskInfo<MakeSymlinkRequest>(in, out, [](const MakeSymlinkRequest& request) {
    FileRequest wanted;
    *wanted.mutable_symlink() = request;
    return wanted;
  });
}

FilesRpc::Unary* FilesRpc::Remove(Context*, const Bytes* in, Bytes* out) {
  return rpc::OnLoop<RemoveFileRequest, RemoveFileResponse>(
      loop_, in, out,
      [this](const RemoveFileRequest& request, rpc::Reply<RemoveFileResponse> reply) {
        FileRequest wanted;
        *wanted.mutable_remove() = request;
        Ask(request.session(), std::move(wanted),
            [reply = std::move(reply)](const StatusOr<FileInfo>& removed) mutable {
              if (!removed.ok()) return reply(removed.status());
              reply(RemoveFileResponse());
            });
      });
}

}  // namespace capsem::service
