#include "api/file_call.h"

#include "api/files_rpc.h"
#include "rpc/client_call.h"
#include "rpc/client_stream.h"
#include "testing/one_machine.h"

namespace capsem::service {
namespace {

using namespace capsem::v1;
using Async = Files::StubInterface::async_interface;
using Reader = rpc::ClientReader<ReadFileRequest, ReadFileEvent>;
using Writer = rpc::ClientStream<WriteFileInput, WriteFileEvent>;

struct Fixture {
  Fixture() { host.Run("box"); }

  OneMachine host;
  FilesRpc rpc{host.loop, host.table};
  rpc::TestServer server{host.loop, {&rpc}};
  std::unique_ptr<Files::Stub> stub = Files::NewStub(rpc::ConnectChannel(server.path()));
  std::string data;
  int infos = 0, written = 0;
  std::optional<Status> end;

  FakeProcess& process() { return host.process; }
  bool Until(const std::function<bool()>& condition) { return host.loop.RunUntil(condition); }

  std::unique_ptr<Reader> Read(const std::string& session, const std::string& path) {
    ReadFileRequest request;
    request.set_session(session);
    request.set_path(path);
    return Reader::Start(host.loop, stub->async(), &Async::Read, request, {},
                         {.on_message =
                              [this](const ReadFileEvent& event) {
                                data += event.data();
                                infos += event.has_info() ? 1 : 0;
                              },
                          .on_closed = [this](const Status& status) { end = status; }});
  }
  std::unique_ptr<Writer> Write() {
    return Writer::Start(host.loop, stub->async(), &Async::Write, {},
                         {.on_message = [this](const WriteFileEvent&) { ++written; },
                          .on_ready = [] {},
                          .on_closed = [this](const Status& status) { end = status; }});
  }
  // The process has an operation's stream, with so many inputs.
  void AwaitInputs(size_t count) {
    REQUIRE(Until([&] { return end || process().file_inputs.size() == count; }));
  }
  void SayInfo() {
    FileEvent event;
    event.mutable_info()->set_size(3);
    process().files[0]->Write(event);
  }
  void SayData(const std::string& bytes) {
    FileEvent event;
    event.set_data(bytes);
    process().files[0]->Write(event);
  }
  bool Ended() {
    return Until([this] { return end.has_value(); });
  }
};

WriteFileInput Start(const std::string& session) {
  WriteFileInput input;
  input.mutable_start()->set_session(session);
  input.mutable_start()->set_path("/f");
  return input;
}
WriteFileInput Data(std::string bytes) {
  WriteFileInput input;
  input.set_data(std::move(bytes));
  return input;
}
WriteFileInput Commit() {
  WriteFileInput input;
  input.set_commit(true);
  return input;
}

}  // namespace

TEST_CASE("a read passes through in order, its end last") {
  Fixture f;
  const auto reader = f.Read("box", "a/b");
  f.AwaitInputs(1);
  REQUIRE(f.process().file_inputs[0].request().read().path() == "a/b");
  f.SayInfo();
  f.SayData("one ");
  f.SayData("two");
  f.process().files[0]->Finish(OkStatus());
  REQUIRE(f.Ended());
  REQUIRE_OK(*f.end);
  REQUIRE(f.infos == 1);
  REQUIRE(f.data == "one two");
}

TEST_CASE("a read that nobody takes is held, and one whose reader goes away ends") {
  Fixture f;
  auto reader = f.Read("box", "/f");
  f.AwaitInputs(1);
  reader->PauseReading(true);
  size_t said = 0;
  while (said < 1000) {
    FileEvent event;
    event.set_data(std::string(64 * 1024, 'x'));
    if (!f.process().files[0]->Write(event)) break;
    ++said;
    f.host.loop.RunReady();
  }
  REQUIRE(said < 1000);
  reader = nullptr;
  REQUIRE(f.Until([&] { return f.process().files_closed == 1; }));
}

TEST_CASE("a write's inputs pass in order, and it is told once") {
  Fixture f;
  const auto writer = f.Write();
  writer->Write(Start("box"));
  writer->Write(Data("bytes"));
  writer->WriteLast(Commit());
  f.AwaitInputs(3);
  REQUIRE(f.process().file_inputs[0].request().write().path() == "/f");
  REQUIRE(f.process().file_inputs[1].data() == "bytes");
  REQUIRE(f.process().file_inputs[2].commit());
  f.SayInfo();
  f.process().files[0]->Finish(OkStatus());
  REQUIRE(f.Ended());
  REQUIRE_OK(*f.end);
  REQUIRE(f.written == 1);
}

TEST_CASE("a write that is not committed ends in the guest, too") {
  Fixture f;
  auto writer = f.Write();
  writer->Write(Start("box"));
  writer->Write(Data("half"));
  f.AwaitInputs(2);
  SECTION("its writer says no more") {
    writer->FinishWriting();
    REQUIRE(f.Ended());
    REQUIRE_CODE(*f.end, kInvalidArgument);
  }
  SECTION("its writer goes away") { writer = nullptr; }
  SECTION("its writer breaks the rules") {
    writer->Write(Data(std::string(256 * 1024 + 1, 'x')));
    REQUIRE(f.Ended());
    REQUIRE_CODE(*f.end, kInvalidArgument);
  }
  SECTION("its writer begins anew") {
    writer->Write(Start("box"));
    REQUIRE(f.Ended());
    REQUIRE_CODE(*f.end, kInvalidArgument);
  }
  REQUIRE(f.Until([&] { return f.process().files_closed == 1; }));
}

TEST_CASE("a request that cannot be is refused before any machine hears of it") {
  Fixture f;
  struct Case {
    std::string session, path;
    StatusCode code;
  };
  const auto c = GENERATE(Case{"nobody", "/f", StatusCode::kNotFound},
                          Case{"../x", "/f", StatusCode::kInvalidArgument},
                          Case{"box", "/../f", StatusCode::kInvalidArgument},
                          Case{"box", "", StatusCode::kInvalidArgument});
  const auto reader = f.Read(c.session, c.path);
  REQUIRE(f.Ended());
  REQUIRE(f.end->code() == c.code);
  REQUIRE_FALSE(Remedy(*f.end).empty());
  f.end.reset();
  const auto writer = f.Write();
  writer->Write(Data("first"));
  REQUIRE(f.Ended());
  REQUIRE_CODE(*f.end, kInvalidArgument);
  REQUIRE(f.process().file_inputs.empty());
}

TEST_CASE("the verbs of one answer ask for what they say") {
  Fixture f;
  StatFileRequest stat;
  stat.set_session("box");
  stat.set_path("/f");
  std::optional<StatusOr<FileInfo>> answer;
  rpc::CallUnary(f.host.loop, f.stub->async(), &Async::Stat, stat, {},
                 [&](StatusOr<FileInfo> info) { answer = std::move(info); });
  f.AwaitInputs(1);
  REQUIRE(f.process().file_inputs[0].request().stat().path() == "/f");
  SECTION("answered") {
    f.SayInfo();
    f.process().files[0]->Finish(OkStatus());
    REQUIRE(f.Until([&] { return answer.has_value(); }));
    REQUIRE(VALUE_OF(*answer).size() == 3);
  }
  SECTION("failed") {
    f.process().files[0]->Finish(WithRemedy(NotFound("no /f"), "look"));
    REQUIRE(f.Until([&] { return answer.has_value(); }));
    REQUIRE_CODE(*answer, kNotFound);
    REQUIRE(Remedy(answer->status()) == "look");
  }
  SECTION("the machine dies") {
    f.process().Say(FakeProcess::Event::STATE_GONE, "QEMU ended");
    f.process().files[0]->Finish(Unavailable("gone"));
    REQUIRE(f.Until([&] { return answer.has_value(); }));
    REQUIRE_CODE(*answer, kUnavailable);
    REQUIRE(Message(answer->status()).find("QEMU ended") != std::string_view::npos);
  }
}

}  // namespace capsem::service
