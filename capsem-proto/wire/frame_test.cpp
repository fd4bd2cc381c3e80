#include "wire/frame.h"

#include "base/testing/status_matchers.h"

namespace capsem::wire {
namespace {

TEST_CASE("a frame is read back as it was written") {
  const std::string payload = GENERATE(std::string(), std::string("x"), std::string(5, '\0'),
                                       std::string(300, 'y'), std::string(70'000, 'z'));
  const auto kind = GENERATE(FrameKind::kMessage, FrameKind::kExecStdout, FrameKind::kFileEnd);
  const std::string bytes = EncodeFrame(kind, payload) + "rest";
  const auto frame = VALUE_OF(ParseFrame(bytes, payload.size()));
  REQUIRE(frame);
  REQUIRE(frame->kind == kind);
  REQUIRE(frame->payload == payload);
  REQUIRE(frame->size == kFrameHeader + payload.size());
}

TEST_CASE("the header is little-endian: length, then kind") {
  REQUIRE(EncodeFrame(FrameKind::kExecStdin, std::string(0x0102, 'a')).substr(0, kFrameHeader) ==
          std::string("\x02\x01\x00\x00\x02", 5));
}

TEST_CASE("a frame that is not whole is waited for") {
  const std::string bytes = EncodeFrame(FrameKind::kMessage, "four");
  for (size_t size = 0; size < bytes.size(); ++size) {
    REQUIRE_FALSE(VALUE_OF(ParseFrame(bytes.substr(0, size), 4)));
  }
  REQUIRE(VALUE_OF(ParseFrame(bytes, 4)));
}

TEST_CASE("what can never be a frame is refused by its header alone") {
  struct Case {
    const char* what;
    std::string header;
  };
  const auto bad = GENERATE(Case{"one byte too long", std::string("\x05\0\0\0\0", 5)},
                            Case{"4 GiB", "\xff\xff\xff\xff" + std::string(1, '\0')},
                            Case{"unknown kind", std::string("\x01\0\0\0\x0f", 5)},
                            Case{"kind 255", std::string("\x01\0\0\0\xff", 5)});
  INFO(bad.what);
  REQUIRE_CODE(ParseFrame(bad.header, 4), kInvalidArgument);
}

TEST_CASE("a reader fed byte by byte finds each frame once, in order") {
  std::string stream;
  for (size_t i = 0; i < 50; ++i) AppendFrame(stream, FrameKind::kExecStdout, std::string(i, 'a'));
  FrameReader reader(64);
  size_t found = 0;
  for (const char byte : stream) {
    reader.Feed({&byte, 1});
    const auto frame = VALUE_OF(reader.Next());
    if (!frame) continue;
    REQUIRE(frame->payload == std::string(found, 'a'));
    ++found;
  }
  REQUIRE(found == 50);
  REQUIRE(reader.buffered() == 0);
}

TEST_CASE("a reader fed everything at once finds the same, and its error stays") {
  const std::string stream = EncodeFrame(FrameKind::kMessage, "one") +
                             EncodeFrame(FrameKind::kExecStdin, "") +
                             EncodeFrame(FrameKind::kMessage, std::string(9, 'x'));
  FrameReader reader(8);
  reader.Feed(stream);
  REQUIRE(VALUE_OF(reader.Next())->payload == "one");
  REQUIRE(VALUE_OF(reader.Next())->kind == FrameKind::kExecStdin);
  REQUIRE_CODE(reader.Next(), kInvalidArgument);
  REQUIRE_CODE(reader.Next(), kInvalidArgument);
}

}  // namespace
}  // namespace capsem::wire
