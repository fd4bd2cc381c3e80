// Errors as values: `Status` and `StatusOr<T>` under one name, with makers that format.
//
//   StatusOr<int> Parse(std::string_view text) {
//     if (text.empty()) return WithRemedy(InvalidArgument("an id is empty"), "see `capsem list`");
//     ...
//   }
//   Status Use() {
//     int id = TRY(Parse(text));          // the value, or leave with the status
//     return OkStatus();
//   }
//
// Code = who must act (CONTRIBUTING.md); message = a sentence for the person who typed the command;
// remedy = what that person can do, kept apart as a payload so that the API can hand it out in a
// field of its own. This header exists because Debian's absl::string_view is not std::string_view:
// nobody else touches message().
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <fmt/format.h>

#include <cerrno>
#include <string>
#include <string_view>
#include <utility>

namespace capsem {

using StatusCode = absl::StatusCode;
using Status = absl::Status;
template <typename T>
using StatusOr = absl::StatusOr<T>;

inline Status OkStatus() { return {}; }

std::string_view Message(const absl::Status& status);
// The same error with what the person can do about it, as a sentence. Ok stays ok.
Status WithRemedy(Status status, std::string_view remedy);
// What helps, as a sentence; empty when nothing is known to help.
std::string Remedy(const absl::Status& status);
// "NotFound: no session called x (see `capsem list`)": for logs and terminals.
std::string Describe(const absl::Status& status);
// The same error with a fact put in front: Annotate(status, "booting {}", id). Ok stays ok.
Status AnnotateText(const absl::Status& status, std::string_view context);
// errno as a status: EACCES → PermissionDenied, ENOENT → NotFound, ENOSPC → ResourceExhausted, else
// Internal.
Status ErrnoStatus(int error, std::string_view what);

Status MakeStatus(StatusCode code, std::string_view message);

#define CAPSEM_STATUS_MAKER(Name)                                                           \
  template <typename... Args>                                                               \
  Status Name(fmt::format_string<Args...> text, Args&&... args) {                           \
    return MakeStatus(StatusCode::k##Name, fmt::format(text, std::forward<Args>(args)...)); \
  }
CAPSEM_STATUS_MAKER(InvalidArgument)
CAPSEM_STATUS_MAKER(NotFound)
CAPSEM_STATUS_MAKER(AlreadyExists)
CAPSEM_STATUS_MAKER(FailedPrecondition)
CAPSEM_STATUS_MAKER(ResourceExhausted)
CAPSEM_STATUS_MAKER(Unavailable)
CAPSEM_STATUS_MAKER(DeadlineExceeded)
CAPSEM_STATUS_MAKER(Cancelled)
CAPSEM_STATUS_MAKER(PermissionDenied)
CAPSEM_STATUS_MAKER(Unauthenticated)
CAPSEM_STATUS_MAKER(OutOfRange)
CAPSEM_STATUS_MAKER(Unimplemented)
CAPSEM_STATUS_MAKER(Internal)
CAPSEM_STATUS_MAKER(DataLoss)
#undef CAPSEM_STATUS_MAKER

// Reads errno at once: call it directly after the system call that failed.
template <typename... Args>
Status FromErrno(fmt::format_string<Args...> text, Args&&... args) {
  const int error = errno;
  return ErrnoStatus(error, fmt::format(text, std::forward<Args>(args)...));
}

template <typename... Args>
Status Annotate(const absl::Status& status, fmt::format_string<Args...> text, Args&&... args) {
  return AnnotateText(status, fmt::format(text, std::forward<Args>(args)...));
}

namespace internal {
inline absl::Status StatusOf(absl::Status status) { return status; }
template <typename T>
absl::Status StatusOf(const StatusOr<T>& value) {
  return value.status();
}
inline void ValueOf(absl::Status) {}
template <typename T>
T ValueOf(StatusOr<T>&& value) {
  return *std::move(value);
}
[[noreturn]] void CheckFailed(const char* file, int line, const char* condition);
}  // namespace internal

// The value of a StatusOr (or nothing, of a Status); leaves the function with the error otherwise.
#define TRY(expression)                                                    \
  __extension__({                                                          \
    auto try_result = (expression);                                        \
    if (!try_result.ok()) return ::capsem::internal::StatusOf(try_result); \
    ::capsem::internal::ValueOf(std::move(try_result));                    \
  })

// For our own invariants only, never for what a guest, a disk or a peer may do: ends the process.
#define ENSURE(condition) \
  ((condition) ? void(0) : ::capsem::internal::CheckFailed(__FILE__, __LINE__, #condition))

}  // namespace capsem

template <>
struct fmt::formatter<absl::Status> : fmt::formatter<std::string> {
  auto format(const absl::Status& status, fmt::format_context& context) const {
    return fmt::formatter<std::string>::format(capsem::Describe(status), context);
  }
};
