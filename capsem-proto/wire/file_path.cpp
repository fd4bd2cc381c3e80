#include "wire/file_path.h"

#include "wire/limits.h"

namespace capsem::wire {
namespace {

constexpr std::string_view kWorkspace = "/workspace/";

// The folder gets the name that was the last one so far.
Status Append(FilePath& path, std::string_view name) {
  if (name.empty() || name == ".") return OkStatus();
  if (name == "..") {
    return WithRemedy(InvalidArgument("`..` in a path of a session"),
                      "give the path from / or from /workspace on");
  }
  if (name.size() > kMaxNameBytes) {
    return WithRemedy(InvalidArgument("a name of {} bytes in a path: {} are the most", name.size(),
                                      kMaxNameBytes),
                      "choose a shorter name");
  }
  if (!path.name.empty()) path.folder = path.text();
  path.name = name;
  return OkStatus();
}

}  // namespace

bool IsFileName(std::string_view name) {
  return !name.empty() && name.size() <= kMaxNameBytes && name != "." && name != ".." &&
         name.find_first_of(std::string_view("/\0", 2)) == std::string_view::npos;
}

StatusOr<FilePath> ParseFilePath(std::string_view path) {
  if (path.empty()) {
    return WithRemedy(InvalidArgument("the path is empty"), "give one, for example /workspace");
  }
  if (path.find('\0') != std::string_view::npos) {
    return WithRemedy(InvalidArgument("a NUL in a path"), "no file has such a name");
  }
  std::string absolute(path.front() == '/' ? std::string_view() : kWorkspace);
  absolute += path;
  if (absolute.size() > kMaxPathBytes) {
    return WithRemedy(
        InvalidArgument("a path of {} bytes: {} are the most", absolute.size(), kMaxPathBytes),
        "choose shorter names");
  }
  FilePath parsed{"/", ""};
  for (std::string_view rest = absolute; !rest.empty();) {
    const size_t end = std::min(rest.find('/'), rest.size());
    TRY(Append(parsed, rest.substr(0, end)));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return parsed;
}

}  // namespace capsem::wire
