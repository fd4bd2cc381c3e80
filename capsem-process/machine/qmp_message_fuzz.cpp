// Fuzz target (meson -Dfuzz=true): the first byte chooses how the rest is cut into pieces.
#include <algorithm>
#include <cstdint>

#include "machine/qmp_message.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const size_t piece = size_t{data[0]} + 1;
  std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  capsem::process::QmpDecoder decoder;
  while (!rest.empty()) {
    const size_t length = std::min(piece, rest.size());
    decoder.Append(rest.substr(0, length));
    rest.remove_prefix(length);
    auto message = decoder.Next();
    while (message.ok() && message->has_value()) {
      if (const auto* event = std::get_if<capsem::process::QmpEvent>(&**message)) event->Get("a.b");
      message = decoder.Next();
    }
    if (!message.ok()) return 0;
  }
  return 0;
}
