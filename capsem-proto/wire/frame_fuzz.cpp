// Fuzz target (meson -Dfuzz=true): frames read in pieces are those that are read at once, and what
// is read can be written again.
#include "wire/frame.h"

#include "wire/limits.h"
#include "wire/testing/fuzz_input.h"

using namespace capsem;
using namespace capsem::wire;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  FuzzInput input(data, size);
  const size_t max_payload = input.Number();
  const size_t piece = size_t{input.Byte()} + 1;
  const std::string_view all = input.Bytes(SIZE_MAX);

  FrameReader reader(max_payload);
  std::string_view whole = all;
  for (std::string_view rest = all; !rest.empty();) {
    reader.Feed(rest.substr(0, piece));
    rest.remove_prefix(std::min(piece, rest.size()));
    while (true) {
      const auto frame = reader.Next();
      const auto expected = ParseFrame(whole.substr(0, whole.size() - rest.size()), max_payload);
      ENSURE(frame.ok() == expected.ok());
      if (!frame.ok()) return 0;
      ENSURE(frame->has_value() == expected->has_value());
      if (!*frame) break;
      ENSURE((*frame)->payload.size() <= max_payload);
      ENSURE(EncodeFrame((*frame)->kind, (*frame)->payload) == whole.substr(0, (*expected)->size));
      whole.remove_prefix((*frame)->size);
    }
    ENSURE(reader.buffered() <= kFrameHeader + max_payload);
  }
  return 0;
}
