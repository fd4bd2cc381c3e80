// A host for commands, in the same process as the agent's half: both multiplexers, and the bytes
// between them. Commands are real processes.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"
#include "base/testing/test_loop.h"
#include "exec/exec_table.h"
#include "wire/limits.h"

namespace capsem::agent {

// A folder of this host's cgroup2, removed at the end; none where there is no cgroup2 or no right.
class TestCgroup {
 public:
  TestCgroup();
  ~TestCgroup();
  bool exists() const;
  UniqueFd Open() const;

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
  std::string out, err;
  std::optional<capsem::guest::v1::ExecExit> exit;
};

class ExecHost {
 public:
  enum class Groups { kProcess, kCgroup };

  explicit ExecHost(Groups groups = Groups::kProcess);
  ~ExecHost();

  // Requests with a new id each, for the folder /.
  static capsem::guest::v1::ExecStart Command(std::initializer_list<std::string> argv);
  static capsem::guest::v1::ExecStart Shell(const std::string& line);

  HostedExec& Begin(const capsem::guest::v1::ExecStart& start);
  // A channel without its request.
  HostedExec& BeginEmpty();
  // Until the exit was heard and the channel is finished.
  HostedExec& Finish(HostedExec& exec);
  HostedExec& Run(const capsem::guest::v1::ExecStart& start) { return Finish(Begin(start)); }

  void Send(HostedExec& exec, wire::FrameKind kind, std::string_view payload);
  void SendBytes(HostedExec& exec, std::string_view bytes);
  void FinishWriting(HostedExec& exec) { host_.Finish(exec.channel); }
  void Reset(HostedExec& exec) { host_.Reset(exec.channel); }
  // The host reads again, after `reading` was false.
  void ReadOn(HostedExec& exec);
  // Also for what no event of the loop tells, as the files that commands write.
  bool Eventually(const std::function<bool()>& condition);

  ExecTable& table() { return *table_; }
  ExecServices& services() { return services_; }
  ExecGroups& groups() { return *groups_; }
  wire::Mux& guest() { return guest_; }
  wire::Mux& host() { return host_; }

  TestLoop loop;

 private:
  std::unique_ptr<ExecGroups> MakeGroups(Groups groups);
  wire::Mux::Events HostEvents();
  wire::Mux::Events GuestEvents();
  void ExchangeLater();
  void Exchange();
  void OnHostReadable(wire::ChannelId id);
  void OnHostWritable(wire::ChannelId id);

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
bool FileHas(const std::string& path, const std::string& text);

}  // namespace capsem::agent
