#include "files/file_table.h"

#include <fcntl.h>
#include <signal.h>

#include <filesystem>
#include <fstream>

#include "exec/process_groups.h"
#include "exec/testing/exec_host.h"
#include "testing/served_folder.h"
#include "wire/frame.h"

namespace capsem::agent {
namespace {

using namespace capsem::guest::v1;
using wire::FrameKind;

// A host and the agent's files, in one process but for the operations' own.
class Files {
 public:
  Files()
      : root_(open(dir.path().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)),
        proc_(open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC)) {
    table.Enable();
    host_.Connected();
    guest_.Connected();
  }
  ~Files() {
    services.groups().KillAll();
    services.loop.RunUntil([this] { return !table.Has(1) && !table.Has(3); });
    services.loop.RunReady();
  }

  wire::ChannelId Begin(FileVerb verb, const std::string& path) {
    const wire::ChannelId channel = VALUE_OF(host_.Open(wire::ChannelKind::kFile));
    FileRequest request;
    request.set_verb(verb);
    request.set_path(path);
    Send(channel, FrameKind::kFileRequest, request.SerializeAsString());
    return channel;
  }
  void Send(wire::ChannelId channel, FrameKind kind, const std::string& payload) {
    unsent_[channel] += wire::EncodeFrame(kind, payload);
    OnHostWritable(channel);
  }
  void Reset(wire::ChannelId channel) { host_.Reset(channel); }
  // The operation's end; its data is in `data`.
  FileEnd Await(wire::ChannelId channel) {
    REQUIRE(services.loop.RunUntil([&] { return ends_.contains(channel); }));
    return ends_[channel];
  }
  bool Until(const std::function<bool()>& condition) { return services.Eventually(condition); }

  ExecHost services;
  TempDir dir;
  std::map<wire::ChannelId, std::string> data;
  bool reading = true;

 private:
  wire::Mux::Events HostEvents() {
    wire::Mux::Events events;
    events.on_open = [](auto...) {};
    events.on_readable = [this](wire::ChannelId id) { OnHostReadable(id); };
    events.on_writable = [this](wire::ChannelId id) { OnHostWritable(id); };
    events.on_reset = [](wire::ChannelId) {};
    events.on_output = [this] { ExchangeLater(); };
    return events;
  }
  wire::Mux::Events GuestEvents() {
    wire::Mux::Events events;
    events.on_open = [this](wire::ChannelId id, auto...) { table.OnOpen(id); };
    events.on_readable = [this](wire::ChannelId id) { table.OnReadable(id); };
    events.on_writable = [this](wire::ChannelId id) { table.OnWritable(id); };
    events.on_reset = [this](wire::ChannelId id) { table.OnReset(id); };
    events.on_output = [this] { ExchangeLater(); };
    return events;
  }
  void ExchangeLater() {
    services.loop.Post([this] {
      std::string bytes;
      while (host_.PullOutput(bytes, 1 << 20)) {
      }
      REQUIRE_OK(guest_.OnBytes(bytes));
      bytes.clear();
      while (guest_.PullOutput(bytes, 1 << 20)) {
      }
      REQUIRE_OK(host_.OnBytes(bytes));
    });
  }

 public:
  void OnHostReadable(wire::ChannelId id) {
    while (reading) {
      const auto frame = VALUE_OF(wire::ParseFrame(host_.Readable(id), wire::kMaxFileMessage));
      if (!frame) return;
      if (frame->kind == FrameKind::kFileData) data[id] += frame->payload;
      if (frame->kind == FrameKind::kFileEnd) {
        REQUIRE(ends_[id].ParseFromString(std::string(frame->payload)));
        host_.Finish(id);
      }
      host_.Consume(id, frame->size);
    }
  }

 private:
  void OnHostWritable(wire::ChannelId id) {
    std::string& unsent = unsent_[id];
    unsent.erase(0, host_.Write(id, unsent));
  }

  UniqueFd root_, proc_;
  wire::Mux host_{wire::Mux::Side::kHost, HostEvents()};
  wire::Mux guest_{wire::Mux::Side::kGuest, GuestEvents()};
  std::map<wire::ChannelId, std::string> unsent_;
  std::map<wire::ChannelId, FileEnd> ends_;

 public:
  FileTable table{guest_, services.services(), {root_.get(), proc_.get()}};
};

std::string Bytes(size_t size) {
  std::string bytes(size, '\0');
  for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>(i * 31 + i / 256);
  return bytes;
}

}  // namespace

TEST_CASE("4 MiB go in and come out, with both ends slower than the middle") {
  Files files;
  const std::string bytes = Bytes(4 << 20);
  const auto write = files.Begin(FILE_VERB_WRITE, "/big");
  for (size_t at = 0; at < bytes.size(); at += 60'000)
    files.Send(write, FrameKind::kFileData, bytes.substr(at, 60'000));
  files.Send(write, FrameKind::kFileCommit, "");
  REQUIRE(files.Await(write).code() == 0);
  files.reading = false;
  const auto read = files.Begin(FILE_VERB_READ, "/big");
  files.services.loop.RunReady();
  REQUIRE(files.data[read].empty());
  files.reading = true;
  files.OnHostReadable(read);
  REQUIRE(files.Await(read).code() == 0);
  REQUIRE(files.data[read] == bytes);
  REQUIRE(files.Until([&] { return !files.table.Has(write) && !files.table.Has(read); }));
}

TEST_CASE("an error that comes while bytes are still sent is heard") {
  Files files;
  const auto write = files.Begin(FILE_VERB_WRITE, "/none/f");
  for (int i = 0; i < 100; ++i) files.Send(write, FrameKind::kFileData, std::string(60'000, 'x'));
  REQUIRE(files.Await(write).code() == static_cast<uint32_t>(StatusCode::kNotFound));
  REQUIRE(files.Until([&] { return !files.table.Has(write); }));
}

TEST_CASE("a host that gives up leaves nothing behind") {
  Files files;
  const auto write = files.Begin(FILE_VERB_WRITE, "/f");
  files.Send(write, FrameKind::kFileData, "half");
  REQUIRE(files.Until([&] { return files.table.Has(write); }));
  files.Reset(write);
  REQUIRE(files.Until([&] { return !files.table.Has(write); }));
  REQUIRE(std::filesystem::is_empty(files.dir.path()));
}

TEST_CASE("a process that is killed ends its channel without an end") {
  Files files;
  const auto write = files.Begin(FILE_VERB_WRITE, "/f");
  files.Send(write, FrameKind::kFileData, "half");
  REQUIRE(files.Until([&] { return files.table.Has(write); }));
  files.services.groups().KillAll();
  files.Send(write, FrameKind::kFileCommit, "");
  REQUIRE(files.Until([&] { return !files.table.Has(write); }));
  REQUIRE(std::filesystem::is_empty(files.dir.path()));
}

TEST_CASE("files of a file system that the agent's own loop serves are read") {
  Files files;
  std::filesystem::create_directory(files.dir / "served");
  auto served = ServedFolder::Mount(files.services.loop, files.dir / "served",
                                    {{"name", "served by this very loop"}});
  if (!served.ok()) {
    WARN("not tested here, only in a machine: " << Describe(served.status()));
    return;
  }
  const auto read = files.Begin(FILE_VERB_READ, "/served/name");
  const auto write = files.Begin(FILE_VERB_WRITE, "/served/new");
  files.Send(write, FrameKind::kFileCommit, "");
  REQUIRE(files.Await(read).code() == 0);
  REQUIRE(files.data[read] == "served by this very loop");
  REQUIRE(files.Await(write).code() != 0);  // it is read-only
}

TEST_CASE("a machine that shuts down refuses with a word") {
  Files files;
  files.table.Disable();
  const auto read = files.Begin(FILE_VERB_READ, "/f");
  REQUIRE(files.Await(read).code() == static_cast<uint32_t>(StatusCode::kUnavailable));
}

}  // namespace capsem::agent
