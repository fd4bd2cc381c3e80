#include "copy_end.h"

#include "wire/ids.h"

namespace capsem::cli {
namespace {

constexpr const char* kExamples =
    "for example: capsem cp notes.txt box:/workspace, or: capsem cp box:/etc/hostname .";

}  // namespace

CopyEnd ParseCopyEnd(std::string_view word) {
  if (word == "-") return {CopyEnd::Kind::kStream, "", ""};
  const size_t colon = word.find(':');
  const std::string_view session = word.substr(0, colon);
  if (colon == std::string_view::npos || !SessionName::Parse(session).ok())
    return {CopyEnd::Kind::kHost, "", std::string(word)};
  const std::string_view path = word.substr(colon + 1);
  return {CopyEnd::Kind::kGuest, std::string(session), std::string(path.empty() ? "." : path)};
}

StatusOr<CopyPlan> PlanCopy(std::string_view from, std::string_view to) {
  if (from.empty() || to.empty())
    return WithRemedy(InvalidArgument("an empty path cannot be copied"), kExamples);
  CopyPlan plan{ParseCopyEnd(from), ParseCopyEnd(to)};
  const bool from_guest = plan.from.kind == CopyEnd::Kind::kGuest;
  const bool to_guest = plan.to.kind == CopyEnd::Kind::kGuest;
  if (from_guest && to_guest) {
    return WithRemedy(InvalidArgument("cp copies between a session and this host"),
                      "copy it here first, or within one session: `capsem exec SESSION cp …`");
  }
  if (!from_guest && !to_guest)
    return WithRemedy(InvalidArgument("one of the two must be in a session: SESSION:PATH"),
                      kExamples);
  return plan;
}

std::string BaseName(std::string_view path) {
  while (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
  const size_t slash = path.rfind('/');
  const std::string_view name = slash == std::string_view::npos ? path : path.substr(slash + 1);
  return std::string(name == "." ? "" : name);
}

std::string Join(std::string_view folder, std::string_view name) {
  std::string joined(folder);
  if (!joined.ends_with('/')) joined += '/';
  return joined.append(name);
}

}  // namespace capsem::cli
