#include "guest/file_answer.h"

#include "base/testing/status_matchers.h"
#include "capsem/guest/v1/guest.pb.h"
#include "wire/limits.h"

namespace capsem::process {
namespace {

using wire::FrameKind;
namespace guest = capsem::guest::v1;
using Request = FileAnswer::Request;

Request Read() {
  Request request;
  request.mutable_read();
  return request;
}
Request List() {
  Request request;
  request.mutable_list();
  return request;
}
Request Remove() {
  Request request;
  request.mutable_remove();
  return request;
}

StatusOr<std::optional<FileAnswer::Event>> Tell(FileAnswer& answer, FrameKind kind,
                                                const std::string& payload) {
  return answer.OnFrame({kind, payload, wire::kFrameHeader + payload.size()});
}

std::string Info(guest::FileInfo::Type type = guest::FileInfo::TYPE_FILE) {
  guest::FileInfo info;
  info.set_type(type);
  info.set_mode(0xffffffff);
  info.set_size(5);
  return info.SerializeAsString();
}

std::string End(uint32_t code, const std::string& cause = {}) {
  guest::FileEnd end;
  end.set_code(code);
  end.set_cause(cause);
  return end.SerializeAsString();
}

std::string Entry(const std::string& name) {
  guest::FileEntries entries;
  entries.add_entries()->set_name(name);
  return entries.SerializeAsString();
}

}  // namespace

TEST_CASE("a read is its description, its bytes, its end") {
  FileAnswer answer(Read());
  const auto info = VALUE_OF(Tell(answer, FrameKind::kFileInfo, Info()));
  REQUIRE(info->info().type() == capsem::v1::FILE_TYPE_FILE);
  REQUIRE(info->info().mode() == 07777);
  REQUIRE(VALUE_OF(Tell(answer, FrameKind::kFileData, "bytes"))->data() == "bytes");
  REQUIRE_FALSE(answer.end());
  REQUIRE_FALSE(VALUE_OF(Tell(answer, FrameKind::kFileEnd, End(0))));
  REQUIRE_OK(*answer.end());
}

TEST_CASE("a failure is told as the guest told it, in plain text, and with a code that is known") {
  struct Case {
    uint32_t told;
    StatusCode heard;
  };
  const auto c = GENERATE(Case{5, StatusCode::kNotFound}, Case{8, StatusCode::kResourceExhausted},
                          Case{16, StatusCode::kUnavailable},  // Unauthenticated is not its to say
                          Case{1, StatusCode::kUnavailable}, Case{999, StatusCode::kUnavailable});
  FileAnswer answer(Read());
  REQUIRE_FALSE(VALUE_OF(Tell(answer, FrameKind::kFileEnd, End(c.told, "a\x1b[2J\nb"))));
  REQUIRE(answer.end()->code() == c.heard);
  REQUIRE(Message(*answer.end()) == "a?[2J?b");
}

TEST_CASE("names that lead out of a folder are not passed on") {
  for (const std::string& name :
       {std::string(), std::string("."), std::string(".."), std::string("a/b"), std::string("/etc"),
        std::string("a\0b", 3), std::string(256, 'n')}) {
    FileAnswer answer(List());
    REQUIRE_CODE(Tell(answer, FrameKind::kFileEntries, Entry(name)), kUnavailable);
  }
  FileAnswer answer(List());
  const auto event = VALUE_OF(Tell(answer, FrameKind::kFileEntries, Entry("\xff ok")));
  REQUIRE(event->entries().entries(0).name() == "\xff ok");
  REQUIRE(event->entries().entries(0).info().type() == capsem::v1::FILE_TYPE_OTHER);
}

TEST_CASE("a guest that does not keep to the verb is not read any further") {
  guest::FileInfo far;
  far.set_link_target(std::string(4096, 'x'));
  guest::FileInfo nul;
  nul.set_link_target(std::string("a\0b", 3));
  struct Case {
    Request request;
    std::vector<std::pair<FrameKind, std::string>> frames;
  };
  const std::vector<Case> cases = {
      {Read(), {{FrameKind::kFileData, "early"}}},
      {Read(), {{FrameKind::kFileEntries, Entry("a")}}},
      {Read(), {{FrameKind::kFileInfo, Info()}, {FrameKind::kFileInfo, Info()}}},
      {Read(), {{FrameKind::kFileInfo, Info()}, {FrameKind::kFileData, ""}}},
      {Read(), {{FrameKind::kFileInfo, "\xff\xff"}}},
      {Read(), {{FrameKind::kFileInfo, far.SerializeAsString()}}},
      {Read(), {{FrameKind::kFileInfo, nul.SerializeAsString()}}},
      {Read(), {{FrameKind::kFileEnd, End(0)}}},
      {Read(), {{FrameKind::kFileEnd, "\xff\xff"}}},
      {Read(), {{FrameKind::kFileEnd, End(5)}, {FrameKind::kFileEnd, End(5)}}},
      {Read(), {{FrameKind::kExecStdout, "x"}}},
      {Read(), {{FrameKind::kFileRequest, ""}}},
      {List(), {{FrameKind::kFileInfo, Info()}}},
      {List(), {{FrameKind::kFileEntries, "\xff\xff"}}},
      {Remove(), {{FrameKind::kFileData, "x"}}},
  };
  for (const Case& c : cases) {
    FileAnswer answer(c.request);
    for (size_t i = 0; i + 1 < c.frames.size(); ++i)
      REQUIRE_OK(Tell(answer, c.frames[i].first, c.frames[i].second));
    const auto last = Tell(answer, c.frames.back().first, c.frames.back().second);
    REQUIRE_CODE(last, kUnavailable);
    REQUIRE_FALSE(Remedy(last.status()).empty());
  }
}

}  // namespace capsem::process
