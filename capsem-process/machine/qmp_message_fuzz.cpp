// Fuzz target (meson -Dfuzz=true): lines of QEMU's monitor, cut into pieces as the first byte says.
// However they are cut the same messages come out, and what is kept of one is within its bounds.
#include <algorithm>
#include <cstdint>
#include <vector>

#include "base/status.h"
#include "machine/qmp_message.h"

using namespace capsem::process;

namespace {

struct Read {
  std::vector<QmpMessage> messages;
  bool refused = false;
};

Read ReadAll(std::string_view bytes, size_t piece) {
  Read read;
  QmpDecoder decoder;
  for (; !bytes.empty(); bytes.remove_prefix(std::min(piece, bytes.size()))) {
    decoder.Append(bytes.substr(0, piece));
    auto message = decoder.Next();
    for (; message.ok() && message->has_value(); message = decoder.Next()) {
      read.messages.push_back(**std::move(message));
    }
    read.refused = !message.ok();
    if (read.refused) break;
  }
  return read;
}

const QmpFields* FieldsOf(const QmpMessage& message) {
  if (const auto* event = std::get_if<QmpEvent>(&message)) return &event->data;
  if (const auto* answer = std::get_if<QmpAnswer>(&message)) return &answer->fields;
  return nullptr;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const size_t piece = size_t{data[0]} + 1;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const Read whole = ReadAll(bytes, std::max<size_t>(bytes.size(), 1));
  const Read pieces = ReadAll(bytes, piece);
  ENSURE(whole.refused == pieces.refused && whole.messages.size() == pieces.messages.size());
  for (size_t i = 0; i < whole.messages.size(); ++i) {
    const QmpFields* fields = FieldsOf(whole.messages[i]);
    const QmpFields* others = FieldsOf(pieces.messages[i]);
    ENSURE((fields == nullptr) == (others == nullptr));
    if (fields == nullptr) continue;
    ENSURE(*fields == *others && fields->size() <= kMaxQmpFields);
    for (const auto& [path, value] : *fields) ENSURE(path.size() <= kMaxQmpPath);
    if (const auto* event = std::get_if<QmpEvent>(&whole.messages[i])) event->Get("a.b");
  }
  return 0;
}
