// A host for commands, in the same process as the agent's half: both multiplexers, and the bytes
// between them. Commands are real processes.
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>

#include <fstream>
#include <map>
#include <memory>
#include <optional>
#include <sstream>

#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"
#include "base/testing/test_loop.h"
#include "exec/cgroup_tree.h"
#include "exec/exec_table.h"
#include "exec/process_groups.h"
#include "wire/limits.h"

namespace capsem::agent {

// A folder of this host's cgroup2, removed at the end; none where there is no cgroup2 or no right.
class TestCgroup {
 public:
  TestCgroup() {
    std::ifstream mounts("/proc/mounts");
    for (std::string line; std::getline(mounts, line);) {
      std::istringstream fields(line);
      std::string source, target, type;
      fields >> source >> target >> type;
      if (type == "cgroup2") path_ = target + "/capsem-test-" + std::to_string(getpid());
    }
    if (!path_.empty() && mkdir(path_.c_str(), 0755) != 0 && errno != EEXIST) path_.clear();
  }
  ~TestCgroup() {
    if (exists()) rmdir(path_.c_str());
  }
  bool exists() const {
    return !path_.empty() && access((path_ + "/cgroup.kill").c_str(), W_OK) == 0;
  }
  UniqueFd Open() const {
    return UniqueFd(open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  }

 private:
  std::string path_;
};

// One command, as its host sees it.
struct HostedExec {
  wire::ChannelId channel = 0;
  std::string bytes;  // not parsed yet
  bool reading = true;
  bool started = false;
  bool finished = false;
  std::string out, err, order;  // order: o and e, a letter for each frame
  std::optional<capsem::guest::v1::ExecExit> exit;
};

class ExecHost {
 public:
  enum class Groups { kProcess, kCgroup };

  explicit ExecHost(Groups groups = Groups::kProcess)
      : null_(open("/dev/null", O_RDWR | O_CLOEXEC)),
        reaper_(VALUE_OF(Reaper::Create(loop))),
        groups_(MakeGroups(groups)),
        host_(wire::Mux::Side::kHost, HostEvents()),
        guest_(wire::Mux::Side::kGuest, GuestEvents()),
        services_{loop, *reaper_, *groups_, {null_.get(), -1}},
        table_(std::make_unique<ExecTable>(guest_, services_)) {
    signal(SIGPIPE, SIG_IGN);  // as main does
    host_.Connected();
    guest_.Connected();
  }
  ~ExecHost() {
    groups_->KillAll();
    loop.RunUntil([&] { return table_->running() == 0; });
  }

  static capsem::guest::v1::ExecStart Command(std::initializer_list<std::string> argv) {
    static uint64_t id = 0;
    capsem::guest::v1::ExecStart start;
    start.set_exec(++id);
    start.set_cwd("/");
    for (const std::string& argument : argv) start.add_argv(argument);
    return start;
  }
  static capsem::guest::v1::ExecStart Shell(const std::string& line) {
    return Command({"/bin/sh", "-c", line});
  }

  HostedExec& Begin(const capsem::guest::v1::ExecStart& start) {
    HostedExec& exec = BeginEmpty();
    Send(exec, wire::FrameKind::kExecStart, start.SerializeAsString());
    return exec;
  }
  HostedExec& BeginEmpty() {
    const wire::ChannelId channel = VALUE_OF(host_.Open(wire::ChannelKind::kExec));
    execs_[channel].channel = channel;
    return execs_[channel];
  }
  void Send(HostedExec& exec, wire::FrameKind kind, std::string_view payload) {
    SendBytes(exec, wire::EncodeFrame(kind, payload));
  }
  void SendBytes(HostedExec& exec, std::string bytes) {
    std::string& unsent = unsent_[exec.channel];
    unsent += bytes;
    unsent.erase(0, host_.Write(exec.channel, unsent));
  }
  // Until the exit was heard and the channel is finished.
  HostedExec& Finish(HostedExec& exec) {
    REQUIRE(loop.RunUntil([&] { return exec.exit && exec.finished; }));
    return exec;
  }
  HostedExec& Run(const capsem::guest::v1::ExecStart& start) { return Finish(Begin(start)); }
  // The host reads again, after `reading` was false.
  void ReadOn(HostedExec& exec) {
    exec.reading = true;
    OnHostReadable(exec.channel);
  }
  // Also for what no event of the loop tells, as the files that commands write.
  bool Eventually(const std::function<bool()>& condition) {
    Timer look(loop);
    look.StartRepeating(std::chrono::milliseconds(5), [] {});
    return loop.RunUntil(condition);
  }
  void Reset(HostedExec& exec) { host_.Reset(exec.channel); }
  void FinishWriting(HostedExec& exec) { host_.Finish(exec.channel); }

  TestLoop loop;
  ExecTable& table() { return *table_; }
  ExecServices& services() { return services_; }
  ExecGroups& groups() { return *groups_; }
  wire::Mux& guest() { return guest_; }
  wire::Mux& host() { return host_; }

 private:
  std::unique_ptr<ExecGroups> MakeGroups(Groups groups) {
    if (groups == Groups::kCgroup) return std::make_unique<CgroupTree>(loop, cgroup_.Open());
    return std::make_unique<ProcessGroups>(loop);
  }
  wire::Mux::Events HostEvents() {
    wire::Mux::Events events;
    events.on_open = [](auto...) {};
    events.on_readable = [this](wire::ChannelId id) { OnHostReadable(id); };
    events.on_writable = [this](wire::ChannelId id) {
      unsent_[id].erase(0, host_.Write(id, unsent_[id]));
    };
    events.on_reset = [this](wire::ChannelId id) { execs_[id].finished = true; };
    events.on_output = [this] { ExchangeLater(); };
    return events;
  }
  wire::Mux::Events GuestEvents() {
    wire::Mux::Events events;
    events.on_open = [this](wire::ChannelId id, auto...) { table_->OnOpen(id); };
    events.on_readable = [this](wire::ChannelId id) { table_->OnReadable(id); };
    events.on_writable = [this](wire::ChannelId id) { table_->OnWritable(id); };
    events.on_reset = [this](wire::ChannelId id) { table_->OnReset(id); };
    events.on_output = [this] { ExchangeLater(); };
    return events;
  }
  void ExchangeLater() {
    if (std::exchange(exchanging_, true)) return;
    loop.Post([this] {
      exchanging_ = false;
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
  void OnHostReadable(wire::ChannelId id) {
    HostedExec& exec = execs_[id];
    if (!exec.reading) return;
    exec.bytes += host_.Readable(id);
    host_.Consume(id, host_.Readable(id).size());
    for (;;) {
      const auto frame = VALUE_OF(wire::ParseFrame(exec.bytes, wire::kMaxExecData));
      if (!frame) break;
      OnFrame(exec, *frame);
      exec.bytes.erase(0, frame->size);
    }
    exec.finished = exec.finished || host_.Finished(id);
  }
  static void OnFrame(HostedExec& exec, const wire::Frame& frame) {
    REQUIRE_FALSE(exec.exit);  // the exit is the last
    switch (frame.kind) {
      case wire::FrameKind::kExecStarted: exec.started = true; break;
      case wire::FrameKind::kExecStdout:
        exec.out += frame.payload;
        exec.order += 'o';
        break;
      case wire::FrameKind::kExecStderr:
        exec.err += frame.payload;
        exec.order += 'e';
        break;
      case wire::FrameKind::kExecExit:
        exec.exit.emplace();
        REQUIRE(exec.exit->ParseFromArray(frame.payload.data(),
                                          static_cast<int>(frame.payload.size())));
        break;
      default: FAIL("a frame that the agent must not send");
    }
  }

  UniqueFd null_;
  TestCgroup cgroup_;
  std::unique_ptr<Reaper> reaper_;
  std::unique_ptr<ExecGroups> groups_;
  wire::Mux host_, guest_;
  std::map<wire::ChannelId, HostedExec> execs_;
  std::map<wire::ChannelId, std::string> unsent_;
  ExecServices services_;
  std::unique_ptr<ExecTable> table_;
  bool exchanging_ = false;
};

// A file that a command writes tells what became of it.
inline bool FileHas(const std::string& path, const std::string& text) {
  std::ifstream file(path);
  std::stringstream content;
  content << file.rdbuf();
  return content.str().find(text) != std::string::npos;
}

}  // namespace capsem::agent
