#include "session/file_spec.h"

#include "wire/file_path.h"
#include "wire/limits.h"

namespace capsem::service {
namespace {

using capsem::process::v1::FileRequest;

constexpr uint32_t kPermissions = 0777;

Status CheckPath(const std::string& path) { return wire::ParseFilePath(path).status(); }

template <typename Request>
Status CheckMode(const Request& request) {
  if (!request.has_mode() || request.mode() <= kPermissions) return OkStatus();
  return WithRemedy(InvalidArgument("a mode of {:o}", request.mode()),
                    "give permissions alone, 0 to 0777");
}

Status CheckTarget(const std::string& target) {
  if (!target.empty() && target.size() <= wire::kMaxPathBytes &&
      target.find('\0') == std::string::npos)
    return OkStatus();
  return WithRemedy(InvalidArgument("no symbolic link can say that"),
                    fmt::format("give 1 to {} bytes without NUL", wire::kMaxPathBytes));
}

}  // namespace

Status CheckFileRequest(const FileRequest& request) {
  switch (request.verb_case()) {
    case FileRequest::kRead: return CheckPath(request.read().path());
    case FileRequest::kStat: return CheckPath(request.stat().path());
    case FileRequest::kList: return CheckPath(request.list().path());
    case FileRequest::kRemove: return CheckPath(request.remove().path());
    case FileRequest::kWrite:
      TRY(CheckMode(request.write()));
      return CheckPath(request.write().path());
    case FileRequest::kMkdir:
      TRY(CheckMode(request.mkdir()));
      return CheckPath(request.mkdir().path());
    case FileRequest::kRename:
      TRY(CheckPath(request.rename().new_path()));
      return CheckPath(request.rename().path());
    case FileRequest::kSymlink:
      TRY(CheckTarget(request.symlink().target()));
      return CheckPath(request.symlink().path());
    case FileRequest::VERB_NOT_SET: break;
  }
  return InvalidArgument("a request about files without a verb");
}

}  // namespace capsem::service
