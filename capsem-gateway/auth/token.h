// The secret that lets a client in: 256 random bits, new at each start of the gateway, in a file
// that only its owner can read.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"

namespace capsem::gateway {

class Token {
 public:
  static constexpr size_t kChars = 64;

  static StatusOr<Token> Generate();
  // Is this the value of an Authorization header with our token? "Bearer", one space, the token,
  // nothing more. Takes the same time wherever a wrong token differs.
  bool Admits(std::string_view authorization) const;
  const std::string& text() const { return text_; }

 private:
  explicit Token(std::string text) : text_(std::move(text)) {}
  std::string text_;  // hex
};

}  // namespace capsem::gateway
