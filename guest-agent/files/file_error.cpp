#include "files/file_error.h"

#include <cstring>

namespace capsem::agent {

std::string ShowPath(std::string_view path) {
  std::string shown;
  for (const char byte : path) {
    const auto code = static_cast<unsigned char>(byte);
    if (code >= 0x20 && code < 0x7f)
      shown += byte;
    else
      shown += fmt::format("\\x{:02x}", code);
  }
  return shown;
}

Status FileError(int error, std::string_view path) {
  const std::string shown = ShowPath(path);
  switch (error) {
    case ENOENT:
      return WithRemedy(NotFound("there is no {} in the session", shown),
                        "see what is there: `capsem exec SESSION ls`");
    case EEXIST:
      return WithRemedy(AlreadyExists("{} is there already", shown),
                        "choose another name, or remove it first");
    case ENOTDIR:
      return WithRemedy(FailedPrecondition("{}: what is to be a folder there is none", shown),
                        "choose another path");
    case EISDIR: return WithRemedy(FailedPrecondition("{} is a folder", shown), "name a file");
    case ENOTEMPTY:
      return WithRemedy(FailedPrecondition("the folder {} is not empty", shown),
                        "empty it first, or remove it with what it holds");
    case ELOOP:
      return WithRemedy(FailedPrecondition("{}: symbolic links lead in a circle", shown),
                        "mend the links in the session");
    case EXDEV:
      return WithRemedy(
          FailedPrecondition("{}: the two names are on different file systems", shown),
          "copy it, and remove the old one");
    case EBUSY:
      return WithRemedy(FailedPrecondition("{} is in use by the guest's system", shown),
                        "unmount it in the session first");
    case ENOSPC:
    case EDQUOT:
      return WithRemedy(ResourceExhausted("no space is left in the session for {}", shown),
                        "remove something there: `capsem exec SESSION df -h` shows how full it is");
    case EFBIG:
      return WithRemedy(ResourceExhausted("{} is larger than its file system takes", shown),
                        "split it");
    case EACCES:
    case EPERM:
    case EROFS:
      return WithRemedy(PermissionDenied("the session's system does not allow that for {}: {}",
                                         shown, strerror(error)),
                        "choose a place that can be written, such as /workspace");
    case ENAMETOOLONG:
    case EINVAL:
      return WithRemedy(InvalidArgument("{} cannot be a name there: {}", shown, strerror(error)),
                        "choose another name");
    default: return Internal("{}: {}", shown, strerror(error));
  }
}

}  // namespace capsem::agent
