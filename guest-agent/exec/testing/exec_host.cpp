#include "exec/testing/exec_host.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

#include "exec/cgroup_tree.h"
#include "exec/process_groups.h"

namespace capsem::agent {
namespace {

void OnFrame(HostedExec& exec, const wire::Frame& frame) {
  REQUIRE_FALSE(exec.exit);  // the exit is the last
  switch (frame.kind) {
    case wire::FrameKind::kExecStarted: exec.started = true; break;
    case wire::FrameKind::kExecStdout: exec.out += frame.payload; break;
    case wire::FrameKind::kExecStderr: exec.err += frame.payload; break;
    case wire::FrameKind::kExecExit:
      REQUIRE(exec.exit.emplace().ParseFromString(std::string(frame.payload)));
      break;
    default: FAIL("a frame that the agent must not send");
  }
}

}  // namespace

TestCgroup::TestCgroup() {
  std::ifstream mounts("/proc/mounts");
  for (std::string line; std::getline(mounts, line);) {
    std::istringstream fields(line);
    std::string source, target, type;
    fields >> source >> target >> type;
    if (type == "cgroup2") path_ = target + "/capsem-test-" + std::to_string(getpid());
  }
  if (!path_.empty() && mkdir(path_.c_str(), 0755) != 0 && errno != EEXIST) path_.clear();
}

TestCgroup::~TestCgroup() {
  if (!path_.empty()) rmdir(path_.c_str());
}

bool TestCgroup::exists() const {
  return !path_.empty() && access((path_ + "/cgroup.kill").c_str(), W_OK) == 0;
}

UniqueFd TestCgroup::Open() const {
  return UniqueFd(open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

ExecHost::ExecHost(Groups groups)
    : null_(open("/dev/null", O_RDWR | O_CLOEXEC)),
      reaper_(VALUE_OF(Reaper::Create(loop))),
      groups_(MakeGroups(groups)),
      host_(wire::Mux::Side::kHost, HostEvents()),
      guest_(wire::Mux::Side::kGuest, GuestEvents()),
      services_{loop, *reaper_, *groups_, {null_.get(), -1}},
      table_(std::make_unique<ExecTable>(guest_, services_)) {
  signal(SIGPIPE, SIG_IGN);  // as the agent does
  host_.Connected();
  guest_.Connected();
}

ExecHost::~ExecHost() {
  table_->Disable();
  groups_->KillAll();
  bool empty = false;
  groups_->OnEmpty([&] { empty = true; });
  loop.RunUntil([&] { return table_->running() == 0 && empty; });
}

capsem::guest::v1::ExecStart ExecHost::Command(std::initializer_list<std::string> argv) {
  static uint64_t id = 0;
  capsem::guest::v1::ExecStart start;
  start.set_exec(++id);
  start.set_cwd("/");
  for (const std::string& argument : argv) start.add_argv(argument);
  return start;
}

capsem::guest::v1::ExecStart ExecHost::Shell(const std::string& line) {
  return Command({"/bin/sh", "-c", line});
}

HostedExec& ExecHost::Begin(const capsem::guest::v1::ExecStart& start) {
  HostedExec& exec = BeginEmpty();
  Send(exec, wire::FrameKind::kExecStart, start.SerializeAsString());
  return exec;
}

HostedExec& ExecHost::BeginEmpty() {
  const wire::ChannelId channel = VALUE_OF(host_.Open(wire::ChannelKind::kExec));
  execs_[channel].channel = channel;
  return execs_[channel];
}

HostedExec& ExecHost::Finish(HostedExec& exec) {
  // However slow the machine is: as long as something comes, it goes on.
  for (size_t before = SIZE_MAX; before != exec.out.size();) {
    before = exec.out.size();
    if (loop.RunUntil([&] { return exec.exit && exec.finished; })) return exec;
  }
  FAIL("the command did not end");
  return exec;
}

void ExecHost::Send(HostedExec& exec, wire::FrameKind kind, std::string_view payload) {
  SendBytes(exec, wire::EncodeFrame(kind, payload));
}

void ExecHost::SendBytes(HostedExec& exec, std::string_view bytes) {
  unsent_[exec.channel] += bytes;
  OnHostWritable(exec.channel);
}

void ExecHost::ReadOn(HostedExec& exec) {
  exec.reading = true;
  OnHostReadable(exec.channel);
}

bool ExecHost::Eventually(const std::function<bool()>& condition) {
  Timer look(loop);
  look.StartRepeating(std::chrono::milliseconds(5), [] {});
  return loop.RunUntil(condition);
}

std::unique_ptr<ExecGroups> ExecHost::MakeGroups(Groups groups) {
  if (groups == Groups::kCgroup) return std::make_unique<CgroupTree>(loop, cgroup_.Open());
  return std::make_unique<ProcessGroups>(loop);
}

wire::Mux::Events ExecHost::HostEvents() {
  wire::Mux::Events events;
  events.on_open = [](auto...) {};
  events.on_readable = [this](wire::ChannelId id) { OnHostReadable(id); };
  events.on_writable = [this](wire::ChannelId id) { OnHostWritable(id); };
  events.on_reset = [this](wire::ChannelId id) { execs_[id].finished = true; };
  events.on_output = [this] { ExchangeLater(); };
  return events;
}

wire::Mux::Events ExecHost::GuestEvents() {
  wire::Mux::Events events;
  events.on_open = [this](wire::ChannelId id, auto...) { table_->OnOpen(id); };
  events.on_readable = [this](wire::ChannelId id) { table_->OnReadable(id); };
  events.on_writable = [this](wire::ChannelId id) { table_->OnWritable(id); };
  events.on_reset = [this](wire::ChannelId id) { table_->OnReset(id); };
  events.on_output = [this] { ExchangeLater(); };
  return events;
}

void ExecHost::ExchangeLater() {
  if (std::exchange(exchanging_, true)) return;
  loop.Post([this] { Exchange(); });
}

void ExecHost::Exchange() {
  exchanging_ = false;
  std::string bytes;
  while (host_.PullOutput(bytes, 1 << 20)) {
  }
  REQUIRE_OK(guest_.OnBytes(bytes));
  bytes.clear();
  while (guest_.PullOutput(bytes, 1 << 20)) {
  }
  REQUIRE_OK(host_.OnBytes(bytes));
}

void ExecHost::OnHostReadable(wire::ChannelId id) {
  HostedExec& exec = execs_[id];
  if (!exec.reading) return;
  exec.bytes += host_.Readable(id);
  host_.Consume(id, host_.Readable(id).size());
  while (const auto frame = VALUE_OF(wire::ParseFrame(exec.bytes, wire::kMaxExecData))) {
    OnFrame(exec, *frame);
    exec.bytes.erase(0, frame->size);
  }
  exec.finished = exec.finished || host_.Finished(id);
}

void ExecHost::OnHostWritable(wire::ChannelId id) {
  std::string& unsent = unsent_[id];
  unsent.erase(0, host_.Write(id, unsent));
}

bool FileHas(const std::string& path, const std::string& text) {
  std::ifstream file(path);
  std::stringstream content;
  content << file.rdbuf();
  return content.str().find(text) != std::string::npos;
}

}  // namespace capsem::agent
