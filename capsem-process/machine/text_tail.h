// The last bytes of a text that somebody hostile writes (a guest's console, QEMU's stderr), for the
// reason of a death. Pure; bounded memory; what it gives out is printable and one line at a time.
#pragma once

#include <string>
#include <string_view>

namespace capsem::process {

class TextTail {
 public:
  static constexpr size_t kBytes = 4096;  // fifty lines of 80 columns: a kernel's oops fits

  void Append(std::string_view bytes);
  // The last `count` lines that hold anything, oldest first, without control characters or
  // terminal sequences; each cut at kLineBytes.
  std::string LastLines(size_t count) const;
  // The first line from the newest occurrence of `needle` on, cleaned likewise; empty when absent.
  std::string LineWith(std::string_view needle) const;
  const std::string& bytes() const { return bytes_; }

  static constexpr size_t kLineBytes = 240;

 private:
  std::string bytes_;
};

// The text as it may stand in a log or a message: terminal sequences and control characters gone,
// bytes that are no ASCII replaced, at most TextTail::kLineBytes.
std::string CleanLine(std::string_view line);

}  // namespace capsem::process
