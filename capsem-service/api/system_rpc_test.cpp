#include "api/system_rpc.h"

#include "base/landlock.h"
#include "rpc/client_call.h"
#include "rpc/client_stream.h"
#include "testing/one_machine.h"

namespace capsem::service {
namespace {

using Api = capsem::v1::System;
using Async = Api::StubInterface::async_interface;
using capsem::v1::LogsRequest;
using Reader = rpc::ClientReader<LogsRequest, capsem::v1::LogChunk>;

struct Fixture {
  OneMachine host;
  RunDir dirs{host.dir.path(), host.dir.path(), host.dir.path()};
  QemuVersion qemu{host.loop, host.dir / "qemu"};
  int shutdowns = 0;
  SystemRpc service{host.loop,
                    {.dirs = dirs,
                     .table = host.table,
                     .kvm = host.kvm,
                     .qemu = qemu,
                     .settings = host.settings,
                     .cgroup = "rlimits only: test",
                     .logs_to_stderr = false,
                     .gateway = [] { return "http://127.0.0.1:7"; },
                     .shutdown =
                         [this](absl::AnyInvocable<void()> ended) {
                           ++shutdowns;
                           ended();
                         }}};
  rpc::TestServer server{host.loop, {&service}};
  std::unique_ptr<Api::Stub> stub = Api::NewStub(rpc::ConnectChannel(server.path()));

  template <typename Request, typename Response>
  StatusOr<Response> Call(void (Async::*method)(grpc::ClientContext*, const Request*, Response*,
                                                std::function<void(grpc::Status)>),
                          const Request& request) {
    std::optional<StatusOr<Response>> answer;
    rpc::CallUnary(host.loop, stub->async(), method, request, {},
                   [&](StatusOr<Response> got) { answer = std::move(got); });
    REQUIRE(host.loop.RunUntil([&] { return answer.has_value(); }));
    return *answer;
  }
  StatusOr<std::string> Logs(const LogsRequest& request) {
    std::string text;
    std::optional<Status> end;
    const auto reader =
        Reader::Start(host.loop, stub->async(), &Async::Logs, request, {},
                      {.on_message = [&](const auto& chunk) { text += chunk.data(); },
                       .on_ready = [] {},
                       .on_closed = [&](const Status& status) { end = status; }});
    REQUIRE(host.loop.RunUntil([&] { return end.has_value(); }));
    if (!end->ok()) return *end;
    return text;
  }
};

}  // namespace

TEST_CASE("status tells what is here and what is missing") {
  Fixture f;
  auto status = VALUE_OF(f.Call(&Async::Status, capsem::v1::StatusRequest()));
  REQUIRE(status.pid() == static_cast<uint32_t>(getpid()));
  REQUIRE(status.accelerator() == "tcg");
  REQUIRE(status.kvm() == "test");
  REQUIRE(status.cgroup() == "rlimits only: test");
  const std::vector<std::string> gaps = LandlockGaps(LandlockAbi());
  REQUIRE(std::vector<std::string>(status.gaps().begin(), status.gaps().end()) == gaps);
  REQUIRE(status.sessions_limit() == 10);
  REQUIRE(status.disk_free() > 0);
  REQUIRE(status.qemu_version().empty());
  REQUIRE(status.problems_size() == 2);
  REQUIRE(status.problems(0).find("QEMU") != std::string::npos);
  REQUIRE(status.problems(1).find("capsem image build") != std::string::npos);

  f.host.Script("qemu", "echo QEMU emulator version 7.2.22");
  std::filesystem::create_directories(f.host.dir / "images/base");
  status = VALUE_OF(f.Call(&Async::Status, capsem::v1::StatusRequest()));
  REQUIRE(status.qemu_version() == "7.2.22");
  REQUIRE(status.problems_size() == 0);

  const std::string damaged = f.dirs.Registry() + ".damaged-1714564800123";
  std::ofstream(damaged) << "garbage";
  std::ofstream(damaged + "-wal") << "garbage";
  status = VALUE_OF(f.Call(&Async::Status, capsem::v1::StatusRequest()));
  REQUIRE(status.problems_size() == 1);
  REQUIRE(status.problems(0).find(damaged + ",") != std::string::npos);
}

TEST_CASE("status tells what is configured that this host does not give") {
  Fixture f;
  f.host.Script("qemu", "echo QEMU emulator version 7.2.22");
  std::ofstream(f.host.settings.files.corp)
      << "require_isolation = 'hardware'\ndefault_image = 'mine'\nmax_running = 3\n";
  f.host.settings = VALUE_OF(LoadSettings(f.host.settings.files));
  const auto status = VALUE_OF(f.Call(&Async::Status, capsem::v1::StatusRequest()));
  REQUIRE(status.sessions_limit() == 3);
  REQUIRE(status.problems_size() == 2);
  REQUIRE(status.problems(0).find("image called mine") != std::string::npos);
  REQUIRE(status.problems(1).find("/corp.toml:1") != std::string::npos);
}

TEST_CASE("the configuration is told key by key, with where it comes from") {
  Fixture f;
  const SettingsFiles& files = f.host.settings.files;
  std::ofstream(files.config) << "default_cpus = 4\nmax_running = 9\n";
  std::ofstream(files.corp) << "max_running = 3\n";
  f.host.settings = VALUE_OF(LoadSettings(files));
  const auto config = VALUE_OF(f.Call(&Async::Config, capsem::v1::ConfigRequest()));
  REQUIRE((config.config_file() == files.config && config.corp_file() == files.corp));
  REQUIRE(static_cast<size_t>(config.settings_size()) == SettingKeys().size());
  std::string told;
  for (const capsem::v1::Setting& setting : config.settings()) {
    REQUIRE_FALSE((setting.range().empty() || setting.help().empty() || setting.applies().empty()));
    REQUIRE(setting.locked() == (setting.origin() == capsem::v1::Setting::ORIGIN_CORP));
    if (setting.origin() == capsem::v1::Setting::ORIGIN_DEFAULT) continue;
    told += fmt::format("{}={} {} over {}; ", setting.key(), setting.value(), setting.place(),
                        setting.ignored());
  }
  REQUIRE(told == fmt::format("max_running=3 {0}:1 over {1}:2; default_cpus=4 {1}:1 over ; ",
                              files.corp, files.config));
}

TEST_CASE("the version names itself and the guest protocols it speaks") {
  Fixture f;
  const auto version = VALUE_OF(f.Call(&Async::Version, capsem::v1::VersionRequest()));
  REQUIRE(version.version() == CAPSEM_VERSION);
  REQUIRE(version.protocol_min() >= 1);
  REQUIRE(version.protocol_max() >= version.protocol_min());
}

TEST_CASE("logs are read whole or by their last lines") {
  Fixture f;
  std::string log;
  for (int i = 0; i < 30000; ++i) log += "line " + std::to_string(i) + "\n";
  std::ofstream(f.dirs.ServiceLog()) << log;
  LogsRequest request;
  REQUIRE(VALUE_OF(f.Logs(request)) == log);
  request.set_tail(2);
  REQUIRE(VALUE_OF(f.Logs(request)) == "line 29998\nline 29999\n");
}

TEST_CASE("a session's logs are its own, and unknown ones say so") {
  Fixture f;
  const std::string id = f.host.Run("box");
  std::ofstream(f.host.Slot(id).dir + "/process.log") << "from the process\n";
  std::ofstream(f.host.Slot(id).dir + "/serial.log.1") << "older\n";
  std::ofstream(f.host.Slot(id).dir + "/serial.log") << "newer\n";
  LogsRequest request;
  request.set_session("box");
  REQUIRE(VALUE_OF(f.Logs(request)) == "from the process\n");
  request.set_source(capsem::v1::LOG_SOURCE_SERIAL);
  REQUIRE(VALUE_OF(f.Logs(request)) == "older\nnewer\n");
  request.set_source(capsem::v1::LOG_SOURCE_SERVICE);
  std::ofstream(f.dirs.ServiceLog()) << R"({"session":"other","message":"a"})"
                                        "\n"
                                     << R"({"session":")" << id << "\"}\n";
  REQUIRE(VALUE_OF(f.Logs(request)) == R"({"session":")" + id + "\"}\n");
  request.set_source(static_cast<capsem::v1::LogSource>(9));
  REQUIRE_CODE(f.Logs(request), kInvalidArgument);
  request.set_session("nobody");
  REQUIRE_CODE(f.Logs(request), kNotFound);
}

namespace {

struct Following {
  Following(Fixture& f, const LogsRequest& request)
      : reader(Reader::Start(f.host.loop, f.stub->async(), &Async::Logs, request, {},
                             {.on_message =
                                  [this](const auto& chunk) {
                                    text += chunk.data();
                                    dropped += chunk.dropped();
                                  },
                              .on_ready = [] {},
                              .on_closed = [this](const Status& status) { end = status; }})) {}
  std::string text;
  uint64_t dropped = 0;
  std::optional<Status> end;
  std::unique_ptr<Reader> reader;
};

}  // namespace

TEST_CASE("a log that is followed goes on over a turn, and ends when the service does") {
  Fixture f;
  const std::string path = f.dirs.ServiceLog();
  std::ofstream(path) << "old\nlast\n";
  LogsRequest request;
  request.set_tail(1);
  request.set_follow(true);
  Following following(f, request);
  REQUIRE(f.host.loop.RunUntil([&] { return following.text == "last\n"; }));
  std::ofstream(path, std::ios::app) << "more\n";
  REQUIRE(f.host.loop.RunUntil([&] { return following.text == "last\nmore\n"; }));
  REQUIRE(rename(path.c_str(), (path + ".1").c_str()) == 0);
  std::ofstream(path, std::ios::app) << "new\n";
  REQUIRE(f.host.loop.RunUntil([&] { return following.text == "last\nmore\nnew\n"; }));
  REQUIRE_FALSE(following.end.has_value());
  f.service.EndLogs();
  REQUIRE(f.host.loop.RunUntil([&] { return following.end.has_value(); }));
  REQUIRE_OK(*following.end);
}

TEST_CASE("a session's log is followed until the session is deleted, and read to its end") {
  Fixture f;
  const std::string id = f.host.Run("box");
  const std::string path = f.host.Slot(id).dir + "/serial.log";
  LogsRequest request;
  request.set_session("box");
  request.set_source(capsem::v1::LOG_SOURCE_SERIAL);
  request.set_follow(true);
  Following following(f, request);
  Following abandoned(f, request);
  std::ofstream(path) << "first\n";
  REQUIRE(f.host.loop.RunUntil([&] { return following.text == "first\n"; }));
  abandoned.reader = nullptr;
  std::ofstream(path, std::ios::app) << "last\n";
  REQUIRE_OK(f.host.Delete(id));
  REQUIRE(f.host.loop.RunUntil([&] { return following.end.has_value(); }));
  REQUIRE_OK(*following.end);
  REQUIRE(following.text == "first\nlast\n");
}

TEST_CASE("a caller that is slow gets the newest, and hears how much has gone") {
  Fixture f;
  const std::string path = f.dirs.ServiceLog();
  constexpr size_t kFile = size_t{4} << 20;
  std::ofstream(path) << std::string(kFile, '0');
  LogsRequest request;
  request.set_follow(true);
  Following following(f, request);
  REQUIRE(f.host.loop.RunUntil([&] { return !following.text.empty(); }));
  following.reader->PauseReading(true);
  for (const char digit : {'1', '2', '3', '4'}) {
    REQUIRE(rename(path.c_str(), (path + ".1").c_str()) == 0);
    std::ofstream(path) << std::string(kFile, digit);
    f.host.loop.RunReady();
  }
  following.reader->PauseReading(false);
  REQUIRE(f.host.loop.RunUntil([&] { return following.text.ends_with(std::string(kFile, '4')); }));
  REQUIRE(following.text.starts_with(std::string(kFile, '0')));
  REQUIRE(following.text.find('2') == std::string::npos);
  REQUIRE(following.dropped >= kFile);
  REQUIRE(following.text.size() + following.dropped <= 5 * kFile);
}

TEST_CASE("a shutdown is answered when everything has ended") {
  Fixture f;
  REQUIRE_OK(f.Call(&Async::Shutdown, capsem::v1::ShutdownRequest()));
  REQUIRE(f.shutdowns == 1);
}

}  // namespace capsem::service
