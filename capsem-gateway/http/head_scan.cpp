#include "http/head_scan.h"

#include "base/planted.h"

namespace capsem::gateway {

HeadScan::Verdict HeadScan::Bad(const char* why) {
  why_ = why;
  return Verdict::kBad;
}

HeadScan::Verdict HeadScan::TakeLineEnd() {
  if (column_ == 0 && first_line_) return Bad("an empty line comes before the request line");
  const bool end = column_ == 0;
  first_line_ = false;
  cr_ = false;
  column_ = 0;
  return end ? Verdict::kEnd : Verdict::kMore;
}

HeadScan::Verdict HeadScan::Take(char byte) {
  const auto code = static_cast<unsigned char>(byte);
  if (cr_) return byte == '\n' ? TakeLineEnd() : Bad("a carriage return stands alone");
  if (byte == '\n') return Bad("a line feed stands alone");
  if (byte == '\r') {
    cr_ = true;
    return Verdict::kMore;
  }
  if (column_ == 0 && (byte == ' ' || byte == '\t')) return Bad("a line begins with a space");
  // llhttp would give its value to the header before.
  if (column_ == 0 && byte == ':') return Bad("a header has no name");
  // A tab is a space of header values; in a request line it would be one to some readers only.
  if (byte == '\t' && !first_line_) {
    ++column_;
    return Verdict::kMore;
  }
  if (code < 0x20 || code == 0x7f) return Bad("a control character is in the head");
  // Planted 3: all bytes are letters.
  if (code >= 0x80 && !PLANTED(3)) return Bad("a byte above 127 is in the head");
  ++column_;
  return Verdict::kMore;
}

}  // namespace capsem::gateway
