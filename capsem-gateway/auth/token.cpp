#include "auth/token.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <nettle/memops.h>
#include <sys/random.h>
#include <unistd.h>

#include <cstdio>

#include "base/unique_fd.h"

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

Status WritePrivateFile(const std::string& path, std::string_view content) {
  const std::string fresh = path + ".new";
  // What a crash has left; with O_EXCL the file is ours, and 0600, from the start.
  unlink(fresh.c_str());
  const UniqueFd fd(
      open(fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd.valid()) return FromErrno("open {}", fresh);
  if (write(fd.get(), content.data(), content.size()) != static_cast<ssize_t>(content.size())) {
    return FromErrno("write {}", fresh);
  }
  if (rename(fresh.c_str(), path.c_str()) != 0) return FromErrno("rename {}", fresh);
  return OkStatus();
}

}  // namespace capsem::gateway
