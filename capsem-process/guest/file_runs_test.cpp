#include "guest/file_runs.h"

#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"
#include "guest/guest_session.h"
#include "testing/fake_guest.h"
#include "wire/limits.h"

namespace capsem::process {
namespace {

using capsem::process::v1::FileEvent;
using capsem::process::v1::FileRequest;
using wire::FrameKind;
namespace guest = capsem::guest::v1;

struct Line {
  Line() {
    session = std::make_unique<GuestSession>(
        loop, GuestIdentity{"abcdefghijkl", "box", {}}, SpoolPlace{dir / "spools"},
        GuestSession::Events{[] {}, [] {}, [](const Status&) {}, [] {}});
    session->Adopt(guest.Dial());
    REQUIRE(loop.RunUntil([this] { return guest.up() && session->link_up(); }));
  }
  // The channel that the guest saw opened last.
  wire::ChannelId Opened(size_t count) {
    REQUIRE(loop.RunUntil([&] { return guest.opened.size() == count; }));
    return guest.opened.back();
  }
  void SendInfo(wire::ChannelId channel) {
    guest::FileInfo info;
    info.set_type(guest::FileInfo::TYPE_FILE);
    guest.Send(channel, FrameKind::kFileInfo, info.SerializeAsString());
  }
  void SendEnd(wire::ChannelId channel, StatusCode code) {
    guest::FileEnd end;
    end.set_code(static_cast<uint32_t>(code));
    end.set_cause("told so");
    guest.Send(channel, FrameKind::kFileEnd, end.SerializeAsString());
    guest.mux().Finish(channel);
  }

  TestLoop loop;
  const TempDir dir;
  FakeGuest guest{loop};
  std::unique_ptr<GuestSession> session;
};

struct Heard {
  FileSink Sink(size_t room = SIZE_MAX) {
    left = room;
    return {.on_event =
                [this](const FileEvent& event) {
                  data += event.data();
                  infos += event.has_info() ? 1 : 0;
                  return --left > 0;
                },
            .on_writable = [this] { ++writable; },
            .on_end =
                [this](const Status& status) {
                  ++ends;
                  end = status;
                }};
  }
  std::string data;
  size_t left = 0;
  int infos = 0, writable = 0, ends = 0;
  Status end;
};

FileRequest Read() {
  FileRequest request;
  request.mutable_read()->set_path("/f");
  return request;
}
FileRequest Write() {
  FileRequest request;
  request.mutable_write()->set_path("/f");
  request.mutable_write()->set_mode(0750);
  return request;
}

}  // namespace

TEST_CASE("a read's events come in order, and its end once") {
  Line line;
  Heard heard;
  VALUE_OF(line.session->files().Start(Read(), heard.Sink()));
  const auto channel = line.Opened(1);
  const auto frame = line.guest.Take(channel);
  guest::FileRequest asked;
  REQUIRE(frame->first == FrameKind::kFileRequest);
  REQUIRE(asked.ParseFromString(frame->second));
  REQUIRE(asked.path() == "/f");
  REQUIRE(asked.verb() == guest::FILE_VERB_READ);
  line.SendInfo(channel);
  line.guest.Send(channel, FrameKind::kFileData, "one ");
  line.guest.Send(channel, FrameKind::kFileData, "two");
  line.SendEnd(channel, StatusCode::kOk);
  REQUIRE(line.loop.RunUntil([&] { return heard.ends == 1; }));
  REQUIRE_OK(heard.end);
  REQUIRE(heard.data == "one two");
  REQUIRE(heard.infos == 1);
  REQUIRE(line.loop.RunUntil([&] {
    return line.session->files().Find(channel) != nullptr || line.guest.mux().Finished(channel);
  }));
}

TEST_CASE("a slow reader holds the guest by credit") {
  Line line;
  Heard heard;
  const auto run = VALUE_OF(line.session->files().Start(Read(), heard.Sink(1)));
  const auto channel = line.Opened(1);
  line.SendInfo(channel);
  const std::string piece(60'000, 'x');
  size_t sent = 0;
  REQUIRE(line.loop.RunUntil([&] { return heard.infos == 1; }));
  for (const std::string bytes = wire::EncodeFrame(FrameKind::kFileData, piece);
       line.guest.mux().Write(channel, bytes) == bytes.size();)
    ++sent;
  line.loop.RunReady();
  REQUIRE(sent * piece.size() < 2 * wire::kChannelWindow);
  REQUIRE(heard.data.empty());
  heard.left = SIZE_MAX;
  run->SinkReady();
  REQUIRE(line.loop.RunUntil([&] { return heard.data.size() == sent * piece.size(); }));
}

TEST_CASE("a write's bytes come in order, its writer waits for room, and hears the end") {
  Line line;
  Heard heard;
  const auto run = VALUE_OF(line.session->files().Start(Write(), heard.Sink()));
  const auto channel = line.Opened(1);
  REQUIRE(line.guest.Take(channel)->first == FrameKind::kFileRequest);
  size_t written = 0;
  for (const std::string piece(256 * 1024, 'w'); run->Write(piece);) written += piece.size();
  written += 256 * 1024;
  run->Commit();
  size_t got = 0;
  bool committed = false;
  REQUIRE(line.loop.RunUntil([&] {
    while (const auto frame = line.guest.Take(channel)) {
      got += frame->second.size();
      committed = frame->first == FrameKind::kFileCommit;
    }
    return committed;
  }));
  REQUIRE(got == written);
  REQUIRE(heard.writable == 1);
  line.SendInfo(channel);
  line.SendEnd(channel, StatusCode::kOk);
  REQUIRE(line.loop.RunUntil([&] { return heard.ends == 1; }));
  REQUIRE_OK(heard.end);
}

TEST_CASE("whatever ends an operation, its sink hears it once") {
  Line line;
  Heard heard;
  const auto run = VALUE_OF(line.session->files().Start(Read(), heard.Sink()));
  const auto channel = line.Opened(1);
  StatusCode expected = StatusCode::kUnavailable;
  SECTION("the guest's error") {
    line.SendEnd(channel, StatusCode::kNotFound);
    expected = StatusCode::kNotFound;
  }
  SECTION("the guest says nothing") { line.guest.mux().Finish(channel); }
  SECTION("the guest gives up") { line.guest.mux().Reset(channel); }
  SECTION("nonsense") { line.guest.Send(channel, FrameKind::kExecStdout, "x"); }
  SECTION("no frame at all") { line.guest.mux().Write(channel, std::string(64, '\xff')); }
  SECTION("the machine dies") { line.session->Fail(Unavailable("gone")); }
  REQUIRE(line.loop.RunUntil([&] { return heard.ends == 1; }));
  REQUIRE(heard.end.code() == expected);
  run->Cancel();
  line.session->Fail(Unavailable("gone"));
  line.loop.RunReady();
  REQUIRE(heard.ends == 1);
}

TEST_CASE("a cancelled operation resets its channel and is silent") {
  Line line;
  Heard heard;
  const auto run = VALUE_OF(line.session->files().Start(Write(), heard.Sink()));
  const auto channel = line.Opened(1);
  run->Cancel();
  REQUIRE(line.loop.RunUntil([&] { return line.guest.resets == std::vector{channel}; }));
  run->Write("late");
  run->Commit();
  line.session->Fail(Unavailable("gone"));
  REQUIRE(heard.ends == 0);
}

TEST_CASE("operations are bounded, and room comes with each end") {
  Line line;
  std::vector<Heard> heard(wire::kMaxFileCalls + 2);
  for (size_t i = 0; i < wire::kMaxFileCalls; ++i)
    VALUE_OF(line.session->files().Start(Read(), heard[i].Sink()));
  const auto refused = line.session->files().Start(Read(), heard[wire::kMaxFileCalls].Sink());
  REQUIRE_CODE(refused, kResourceExhausted);
  REQUIRE_FALSE(Remedy(refused.status()).empty());
  line.SendEnd(line.Opened(wire::kMaxFileCalls), StatusCode::kNotFound);
  REQUIRE(line.loop.RunUntil([&] { return heard[wire::kMaxFileCalls - 1].ends == 1; }));
  VALUE_OF(line.session->files().Start(Read(), heard[wire::kMaxFileCalls + 1].Sink()));
}

TEST_CASE("an operation goes on over a link that was made anew") {
  Line line;
  TempDir dir;
  Heard heard;
  const auto run = VALUE_OF(line.session->files().Start(Write(), heard.Sink()));
  const auto channel = line.Opened(1);
  while (run->Write(std::string(256 * 1024, 'w'))) {
  }
  run->Commit();
  line.session->DropConnection();
  line.guest.HangUp();
  REQUIRE_OK(line.session->RebuildLink(dir / "link.state"));
  line.session->Adopt(line.guest.Dial());
  bool committed = false;
  REQUIRE(line.loop.RunUntil([&] {
    while (const auto frame = line.guest.Take(channel))
      committed = frame->first == FrameKind::kFileCommit;
    return committed;
  }));
  line.SendInfo(channel);
  line.SendEnd(channel, StatusCode::kOk);
  REQUIRE(line.loop.RunUntil([&] { return heard.ends == 1; }));
  REQUIRE_OK(heard.end);
}

}  // namespace capsem::process
