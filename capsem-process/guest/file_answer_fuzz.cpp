// Fuzz target (meson -Dfuzz=true): whatever a guest answers, what is passed on keeps files.proto's
// promises, and an end is one.
#include "guest/file_answer.h"

#include "wire/file_path.h"
#include "wire/limits.h"
#include "wire/testing/fuzz_input.h"

using namespace capsem;
using namespace capsem::process;

namespace {

void CheckInfo(const capsem::v1::FileInfo& info) {
  ENSURE(info.mode() <= 07777);
  ENSURE(info.type() >= capsem::v1::FILE_TYPE_FILE && info.type() <= capsem::v1::FILE_TYPE_OTHER);
  ENSURE(info.link_target().size() <= wire::kMaxPathBytes);
  ENSURE(info.link_target().find('\0') == std::string::npos);
}

FileAnswer::Request RequestOf(uint8_t verb) {
  FileAnswer::Request request;
  switch (verb % 4) {
    case 0: request.mutable_read(); break;
    case 1: request.mutable_list(); break;
    case 2: request.mutable_remove(); break;
    case 3: request.mutable_write(); break;
  }
  return request;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  wire::FuzzInput input(data, size);
  const FileAnswer::Request request = RequestOf(input.Byte());
  FileAnswer answer(request);
  int infos = 0;
  for (std::string_view rest = input.Bytes(SIZE_MAX);;) {
    const auto frame = wire::ParseFrame(rest, wire::kMaxFileMessage);
    if (!frame.ok() || !*frame) return 0;
    const bool was_over = answer.end().has_value();
    const auto event = answer.OnFrame(**frame);
    ENSURE(!event.ok() || !was_over);
    if (!event.ok()) return 0;
    rest.remove_prefix((*frame)->size);
    ENSURE(event->has_value() != answer.end().has_value());
    if (!*event) continue;
    if ((*event)->has_info()) {
      CheckInfo((*event)->info());
      ENSURE(++infos == 1);
    }
    ENSURE((*event)->data().empty() || (request.has_read() && infos == 1));
    for (const auto& entry : (*event)->entries().entries()) {
      ENSURE(wire::IsFileName(entry.name()));
      CheckInfo(entry.info());
    }
  }
}
