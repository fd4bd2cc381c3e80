#include "wire/ids.h"

#include <sys/random.h>

#include <algorithm>

namespace capsem {
namespace {

constexpr std::string_view kBase32 = "abcdefghijklmnopqrstuvwxyz234567";
constexpr size_t kIdLength = 12;
constexpr size_t kMaxName = 64;

bool IsAlphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

}  // namespace

SessionId SessionId::Generate() {
  uint64_t bits = 0;
  // Up to 256 bytes come whole or not at all, and the kernel's pool is up long before us.
  ENSURE(getrandom(&bits, sizeof bits, 0) == sizeof bits);
  std::string text;
  for (size_t i = 0; i < kIdLength; ++i, bits >>= 5) text += kBase32[bits & 31];
  return SessionId(std::move(text));
}

StatusOr<SessionId> SessionId::Parse(std::string_view text) {
  const bool legal = text.size() == kIdLength && std::ranges::all_of(text, [](char c) {
                       return kBase32.find(c) != std::string_view::npos;
                     });
  if (legal) return SessionId(std::string(text));
  return WithRemedy(InvalidArgument("a session id has {} characters out of a-z and 2-7", kIdLength),
                    "see `capsem list` for ids and names");
}

StatusOr<SessionName> SessionName::Parse(std::string_view text) {
  const bool legal =
      !text.empty() && text.size() <= kMaxName && IsAlphanumeric(text[0]) &&
      std::ranges::all_of(text, [](char c) { return IsAlphanumeric(c) || c == '_' || c == '-'; });
  if (legal) return SessionName(std::string(text));
  // The name itself is not repeated: it may hold anything, control characters included.
  return WithRemedy(InvalidArgument("this cannot be the name of a session"),
                    "a name has 1 to 64 letters, digits, _ and -, the first a letter or a digit");
}

}  // namespace capsem
