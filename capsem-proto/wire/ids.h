// Ids and names as distinct types, so that a display name can never select a session by accident.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/status.h"

namespace capsem {

// 12 lowercase base32 characters (a-z, 2-7), opaque: 60 random bits.
class SessionId {
 public:
  static SessionId Generate();
  // InvalidArgument: not of that form.
  static StatusOr<SessionId> Parse(std::string_view text);
  const std::string& text() const { return text_; }
  auto operator<=>(const SessionId&) const = default;

 private:
  explicit SessionId(std::string text) : text_(std::move(text)) {}
  std::string text_;
};

// [A-Za-z0-9][A-Za-z0-9_-]{0,63}
class SessionName {
 public:
  static StatusOr<SessionName> Parse(std::string_view text);
  const std::string& text() const { return text_; }
  auto operator<=>(const SessionName&) const = default;

 private:
  explicit SessionName(std::string text) : text_(std::move(text)) {}
  std::string text_;
};

}  // namespace capsem
