// Every command of the machine: opened by the host as a channel, started once, in the order in
// which the requests came, as soon as the machine has its identity. On the loop.
#pragma once

#include <deque>
#include <map>
#include <memory>

#include "exec/exec_channel.h"
#include "exec/exec_job.h"
#include "exec/id_set.h"

namespace capsem::agent {

class ExecTable {
 public:
  ExecTable(wire::Mux& mux, ExecServices services);
  ExecTable(const ExecTable&) = delete;
  ExecTable& operator=(const ExecTable&) = delete;

  // What the multiplexer tells about channels of commands, also about those that are forgotten
  // here.
  void OnOpen(wire::ChannelId channel);
  void OnReadable(wire::ChannelId channel);
  void OnWritable(wire::ChannelId channel);
  void OnReset(wire::ChannelId channel);

  // The identity has been applied: what has waited starts, with this environment.
  void Enable(Environment session);
  // No command is started any more: the machine is shutting down.
  void Disable();
  // A signal may be faster than the request that it is meant for: it waits for it then.
  void Signal(uint64_t exec, uint32_t signal);
  // To each running command's process group.
  void SignalAll(int signal);
  size_t running() const;

 private:
  struct Entry {
    std::unique_ptr<ExecChannel> channel;
    std::unique_ptr<ExecJob> job;
  };
  void OnStart(wire::ChannelId channel, StatusOr<capsem::guest::v1::ExecStart> start);
  void Start(wire::ChannelId channel, const capsem::guest::v1::ExecStart& start);
  void StartWaiting();
  // Forgets what is over.
  void Settle(wire::ChannelId channel);
  void SettleLater(wire::ChannelId channel);
  void Discard(wire::ChannelId channel);

  wire::Mux& mux_;
  ExecServices services_;
  SpareProcess spare_;
  Environment session_;
  enum class State { kWaiting, kEnabled, kDisabled } state_ = State::kWaiting;
  std::deque<std::pair<wire::ChannelId, capsem::guest::v1::ExecStart>> waiting_;
  IdSet seen_;
  std::multimap<uint64_t, uint32_t> early_signals_;
  std::map<wire::ChannelId, Entry> entries_;
  WeakOwner<ExecTable> weak_{this};
};

}  // namespace capsem::agent
