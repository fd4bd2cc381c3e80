#include "auth/token.h"

#include <fmt/format.h>
#include <nettle/memops.h>
#include <sys/random.h>

namespace capsem::gateway {

StatusOr<Token> Token::Generate() {
  unsigned char bytes[kChars / 2];
  if (getrandom(bytes, sizeof bytes, 0) != static_cast<ssize_t>(sizeof bytes)) {
    return FromErrno("random bytes for the token");
  }
  std::string text;
  for (const unsigned char byte : bytes) text += fmt::format("{:02x}", byte);
  return Token(std::move(text));
}

bool Token::Admits(std::string_view authorization) const {
  constexpr std::string_view kScheme = "Bearer ";
  if (!authorization.starts_with(kScheme)) return false;
  authorization.remove_prefix(kScheme.size());
  // Its length is no secret.
  return authorization.size() == text_.size() &&
         memeql_sec(authorization.data(), text_.data(), text_.size()) != 0;
}

}  // namespace capsem::gateway
