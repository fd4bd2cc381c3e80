// A service's session room with one machine at a time, for tests: its process is a script that says
// what a process says, its socket is served by the test, and what comes from images and libvirt is
// answered as the test wants.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <optional>

#include "base/testing/status_matchers.h"
#include "session/sessions.h"
#include "testing/fake_process.h"
#include "testing/open_registry.h"

namespace capsem::service {

struct OneMachine {
  TestLoop loop;
  TempDir dir;
  std::unique_ptr<Registry> registry = OpenRegistry(loop, dir);
  SessionTable table{loop, dir.path(), *registry};
  KvmStatus kvm{loop, dir / "probe", dir / "kvm.json", "boot"};
  FakeProcess process{loop};
  std::optional<rpc::TestServer> server;
  Status program, image, disk, argv;  // what the tools answer
  std::string image_opened;           // the name or digest that was asked for
  bool hold_disk = false;             // the disk is not ready until ReleaseDisk
  absl::AnyInvocable<void()> release_disk;
  LoadedSettings settings = *LoadSettings({dir / "config.toml", dir / "corp.toml"});
  std::optional<Sessions> sessions;

  explicit OneMachine(const std::string& script = "echo listening >&4; exec sleep 60") {
    Script("probe", R"(echo '{"usable":false,"reason":"test"}')");
    Script("process", script);
    MachineTools tools;
    tools.find_process = [this](auto done) {
      Answer<std::string>(std::move(done), program.ok() ? StatusOr<std::string>(dir / "process")
                                                        : StatusOr<std::string>(program));
    };
    tools.process_env = {"PATH=/usr/bin:/bin"};
    tools.open_image = [this](const std::string& name, auto done) {
      image_opened = name;
      if (!image.ok()) return Answer<BootImage>(std::move(done), image);
      Answer<BootImage>(std::move(done), BootImage{"digest", Null(), Null(), Null()});
    };
    tools.make_disk = [this](const std::string& folder, uint32_t, auto done) {
      MakeDisk(folder, std::move(done));
    };
    tools.compile = [this](const MachineRequest& request, auto done) {
      Serve(request.session_dir);
      if (!argv.ok()) return Answer<std::vector<std::string>>(std::move(done), argv);
      Answer<std::vector<std::string>>(std::move(done), std::vector<std::string>{"qemu"});
    };
    sessions.emplace(loop, table, kvm, std::move(tools), settings);
  }

  // The test's socket, by another name in the session's folder: each process has one as its own.
  void Serve(const std::string& folder) {
    const std::string socket = dir / "test.sock";
    if (!server) server.emplace(loop, std::vector<grpc::Service*>{&process}, socket);
    std::error_code error;
    std::filesystem::create_hard_link(socket, folder + "/process.sock", error);
  }
  void Script(const std::string& name, const std::string& lines) {
    std::ofstream(dir / name) << "#!/bin/sh\n" << lines << "\n";
    chmod((dir / name).c_str(), 0700);
  }
  template <typename T>
  void Answer(MachineTools::Done<T> done, StatusOr<T> answer) {
    loop.Post([done = std::move(done), answer = std::move(answer)]() mutable {
      done(std::move(answer));
    });
  }
  static UniqueFd Null() { return UniqueFd(open("/dev/null", O_RDWR | O_CLOEXEC)); }
  void MakeDisk(const std::string& folder, MachineTools::Done<UniqueFd> done) {
    std::ofstream(folder + "/disk.img") << "disk";
    auto answer = [this, done = std::move(done)]() mutable {
      if (!disk.ok()) return Answer<UniqueFd>(std::move(done), disk);
      Answer<UniqueFd>(std::move(done), Null());
    };
    if (!hold_disk) return answer();
    release_disk = std::move(answer);
  }

  StatusOr<capsem::v1::Session> Create(const std::string& name = {}) {
    capsem::v1::CreateSessionRequest request;
    request.set_name(name);
    return Answered([&](auto created) {
      sessions->Create(request, Sessions::Owner::kUser, std::move(created));
    });
  }
  StatusOr<capsem::v1::Session> Answered(const std::function<void(Sessions::Created)>& call) {
    std::optional<StatusOr<capsem::v1::Session>> answer;
    call([&](auto session) { answer = std::move(session); });
    REQUIRE(!answer);
    REQUIRE(loop.RunUntil([&] { return answer.has_value(); }));
    return *answer;
  }
  StatusOr<capsem::v1::Session> Start(const std::string& session) {
    return Answered([&](auto started) { sessions->Start(session, std::move(started)); });
  }
  StatusOr<capsem::v1::Session> Restart(const std::string& session) {
    return Answered([&](auto started) {
      sessions->Restart(session, std::chrono::seconds(10), std::move(started));
    });
  }
  // A session whose guest is up.
  std::string Run(const std::string& name = {}) {
    const std::string id = VALUE_OF(Create(name)).id();
    AwaitUp(id);
    return id;
  }
  void AwaitUp(const std::string& id) {
    REQUIRE(loop.RunUntil([&] { return process.hold != nullptr; }));
    process.Say(FakeProcess::Event::STATE_READY);
    Await(id, capsem::v1::SESSION_STATE_RUNNING);
  }
  // The guest does as it is told. The socket is the test's, and serves the next process too.
  void PowerOffAsAsked(const std::string& id) {
    process.on_stop = [this, id](uint32_t) {
      kill(Slot(id).process->pid(), SIGTERM);
      loop.Post([this] { process.hold = nullptr; });
    };
  }
  void Await(const std::string& id, capsem::v1::SessionState state) {
    REQUIRE(loop.RunUntil([&] { return Get(id).state() == state; }));
  }
  void AwaitGone(const std::string& id) {
    REQUIRE(loop.RunUntil([&] { return !table.Find(std::string_view(id)).ok(); }));
  }
  capsem::v1::Session Get(const std::string& id) {
    return VALUE_OF(table.Find(std::string_view(id)))->session.ToProto();
  }
  SessionSlot& Slot(const std::string& id) { return *VALUE_OF(table.Find(std::string_view(id))); }
  bool HasDir(const std::string& id) { return std::filesystem::exists(dir / id); }
  Status Wait(const std::function<void(Sessions::Done)>& call) {
    std::optional<Status> answer;
    call([&](const Status& status) { answer = status; });
    REQUIRE(!answer);
    REQUIRE(loop.RunUntil([&] { return answer.has_value(); }));
    return *answer;
  }
  Status Delete(const std::string& session) {
    return Wait([&](Sessions::Done done) { sessions->Delete(session, std::move(done)); });
  }
  Status Stop(const std::string& session) {
    return Wait([&](Sessions::Done done) {
      sessions->Stop(session, std::chrono::seconds(10), std::move(done));
    });
  }
};

}  // namespace capsem::service
