#include "guest/file_answer.h"

#include <algorithm>

#include "base/planted.h"
#include "capsem/guest/v1/guest.pb.h"
#include "wire/file_path.h"
#include "wire/limits.h"

namespace capsem::process {
namespace {

using capsem::v1::FileInfo;
using wire::FrameKind;
using GuestInfo = capsem::guest::v1::FileInfo;

constexpr uint32_t kModeBits = 07777;
constexpr size_t kMaxSentence =
    8 * 1024;  // two paths of four bytes for each, and what is said of them

Status Nonsense(std::string_view what) {
  return WithRemedy(Unavailable("the session's guest answers with {}", what),
                    "the guest is broken or hostile: delete the session if you do not know why");
}

template <typename T>
bool Parse(std::string_view payload, T& message) {
  return message.ParseFromArray(payload.data(), static_cast<int>(payload.size()));
}

// Terminals, logs and UTF-8 fields are safe from it.
std::string PlainText(std::string_view text) {
  std::string plain(text.substr(0, kMaxSentence));
  std::ranges::replace_if(
      plain, [](char byte) { return byte < 0x20 || byte == 0x7f; }, '?');
  return plain;
}

capsem::v1::FileType TypeOf(const GuestInfo& told) {
  switch (told.type()) {
    case GuestInfo::TYPE_FILE: return capsem::v1::FILE_TYPE_FILE;
    case GuestInfo::TYPE_FOLDER: return capsem::v1::FILE_TYPE_FOLDER;
    case GuestInfo::TYPE_SYMLINK: return capsem::v1::FILE_TYPE_SYMLINK;
    default: return capsem::v1::FILE_TYPE_OTHER;
  }
}

StatusOr<FileInfo> ToPublic(const GuestInfo& told) {
  const std::string& target = told.link_target();
  if (target.size() > wire::kMaxPathBytes || target.find('\0') != std::string::npos)
    return Nonsense("a link's target that can be none");
  FileInfo info;
  info.set_type(TypeOf(told));
  info.set_size(told.size());
  // Planted 1: the guest's mode has no bits but those of a mode.
  info.set_mode(PLANTED(1) ? told.mode() : told.mode() & kModeBits);
  info.set_modified_unix_ns(told.modified_unix_ns());
  info.set_uid(told.uid());
  info.set_gid(told.gid());
  info.set_link_target(target);
  return info;
}

// A failure that files.proto knows; of others the guest's word is not taken.
Status FailureOf(const capsem::guest::v1::FileEnd& told) {
  constexpr StatusCode kKnown[] = {
      StatusCode::kInvalidArgument,  StatusCode::kNotFound,
      StatusCode::kAlreadyExists,    StatusCode::kFailedPrecondition,
      StatusCode::kPermissionDenied, StatusCode::kResourceExhausted,
      StatusCode::kUnavailable,      StatusCode::kUnimplemented,
      StatusCode::kInternal,
  };
  const auto code = static_cast<StatusCode>(told.code());
  const bool known = std::ranges::find(kKnown, code) != std::end(kKnown);
  return WithRemedy(MakeStatus(known ? code : StatusCode::kUnavailable, PlainText(told.cause())),
                    PlainText(told.remedy()));
}

}  // namespace

FileAnswer::FileAnswer(const Request& request)
    : verb_(request.verb_case()), has_info_(verb_ != Request::kList && verb_ != Request::kRemove) {}

StatusOr<std::optional<FileAnswer::Event>> FileAnswer::OnFrame(const wire::Frame& frame) {
  if (end_) return Nonsense("more than the end");
  switch (frame.kind) {
    case FrameKind::kFileInfo: return OnInfo(frame.payload);
    case FrameKind::kFileEntries: return OnEntries(frame.payload);
    case FrameKind::kFileEnd: return OnEnd(frame.payload);
    case FrameKind::kFileData: {
      if (verb_ != Request::kRead || !info_told_ || frame.payload.empty())
        return Nonsense("data that nobody asked for");
      Event event;
      event.set_data(frame.payload.data(), frame.payload.size());
      return event;
    }
    default: return Nonsense("a frame that is none of a file");
  }
}

StatusOr<std::optional<FileAnswer::Event>> FileAnswer::OnInfo(std::string_view payload) {
  // Planted 2: a file may be described twice.
  if (!has_info_ || (std::exchange(info_told_, true) && !PLANTED(2)))
    return Nonsense("a description that nobody asked for");
  GuestInfo told;
  if (!Parse(payload, told)) return Nonsense("a description that cannot be read");
  Event event;
  *event.mutable_info() = TRY(ToPublic(told));
  return event;
}

StatusOr<std::optional<FileAnswer::Event>> FileAnswer::OnEntries(std::string_view payload) {
  capsem::guest::v1::FileEntries told;
  if (verb_ != Request::kList || !Parse(payload, told))
    return Nonsense("names that cannot be read");
  Event event;
  for (const auto& entry : told.entries()) {
    // Planted 3: a guest's names lead nowhere.
    if (!wire::IsFileName(entry.name()) && !PLANTED(3))
      return Nonsense("a name that no file can have");
    auto& shown = *event.mutable_entries()->add_entries();
    shown.set_name(entry.name());
    *shown.mutable_info() = TRY(ToPublic(entry.info()));
  }
  return event;
}

StatusOr<std::optional<FileAnswer::Event>> FileAnswer::OnEnd(std::string_view payload) {
  capsem::guest::v1::FileEnd told;
  if (!Parse(payload, told)) return Nonsense("an end that cannot be read");
  if (told.code() == 0 && has_info_ && !info_told_) return Nonsense("nothing");
  end_ = told.code() == 0 ? OkStatus() : FailureOf(told);
  return std::nullopt;
}

}  // namespace capsem::process
