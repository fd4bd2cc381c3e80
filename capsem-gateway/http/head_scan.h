// The bytes of a request's head, looked at before the parser sees them: what is legal in no head,
// or only in one that was written to be misread, is refused at its first byte. Pure.
#pragma once

#include <cstddef>

namespace capsem::gateway {

class HeadScan {
 public:
  enum class Verdict { kMore, kEnd, kBad };
  // kEnd: this byte was the last of the head (the LF of the empty line).
  Verdict Take(char byte);
  // After kBad: a sentence.
  const char* why() const { return why_; }

 private:
  Verdict Bad(const char* why);
  Verdict TakeLineEnd();

  const char* why_ = "";
  bool first_line_ = true;
  bool cr_ = false;    // the last byte
  size_t column_ = 0;  // bytes of this line so far
};

}  // namespace capsem::gateway
