#include "base/status.h"

#include <absl/strings/cord.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace capsem {
namespace {

constexpr char kRemedyPayload[] = "capsem.remedy";

StatusCode CodeOfErrno(int error) {
  switch (error) {
    case ENOENT: return StatusCode::kNotFound;
    case EEXIST:
    case EADDRINUSE: return StatusCode::kAlreadyExists;
    case EACCES:
    case EPERM:
    case EROFS: return StatusCode::kPermissionDenied;
    case ENOSPC:
    case EDQUOT:
    case EMFILE:
    case ENFILE:
    case ENOMEM: return StatusCode::kResourceExhausted;
    case EAGAIN:
    case ECONNREFUSED:
    case ECONNRESET:
    case EPIPE:
    case ENODEV: return StatusCode::kUnavailable;
    case ETIMEDOUT: return StatusCode::kDeadlineExceeded;
    case EINVAL:
    case ENAMETOOLONG:
    case E2BIG: return StatusCode::kInvalidArgument;
    default: return StatusCode::kInternal;
  }
}

std::string_view RemedyOfErrno(int error) {
  switch (error) {
    case ENOSPC: return "free some disk space and try again";
    case EROFS: return "use a folder on a writable file system (CAPSEM_HOME)";
    case EMFILE:
    case ENFILE: return "raise the limit of open files (ulimit -n)";
    case ENOMEM: return "free some memory and try again";
    default: return {};
  }
}

}  // namespace

Status MakeStatus(StatusCode code, std::string_view message) {
  return {code, absl::string_view(message.data(), message.size())};
}

Status WithRemedy(Status status, std::string_view remedy) {
  if (!status.ok())
    status.SetPayload(kRemedyPayload, absl::Cord(absl::string_view(remedy.data(), remedy.size())));
  return status;
}

std::string_view Message(const absl::Status& status) {
  return {status.message().data(), status.message().size()};
}

std::string Remedy(const absl::Status& status) {
  const auto payload = status.GetPayload(kRemedyPayload);
  return payload ? std::string(*payload) : std::string();
}

std::string Describe(const absl::Status& status) {
  if (status.ok()) return "Ok";
  const std::string remedy = Remedy(status);
  const std::string code = absl::StatusCodeToString(status.code());
  if (remedy.empty()) return fmt::format("{}: {}", code, Message(status));
  return fmt::format("{}: {} ({})", code, Message(status), remedy);
}

Status AnnotateText(const absl::Status& status, std::string_view context) {
  if (status.ok()) return OkStatus();
  Status result = MakeStatus(status.code(), fmt::format("{}: {}", context, Message(status)));
  status.ForEachPayload(
      [&](absl::string_view url, const absl::Cord& payload) { result.SetPayload(url, payload); });
  return result;
}

Status ErrnoStatus(int error, std::string_view what) {
  const Status status =
      MakeStatus(CodeOfErrno(error), fmt::format("{}: {}", what, strerror(error)));
  const std::string_view remedy = RemedyOfErrno(error);
  return remedy.empty() ? status : WithRemedy(status, remedy);
}

namespace internal {
void CheckFailed(const char* file, int line, const char* condition) {
  std::fprintf(stderr, "%s:%d: a promise of our own was broken: %s\n", file, line, condition);
  std::abort();
}
}  // namespace internal

}  // namespace capsem
