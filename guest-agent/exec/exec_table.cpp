#include "exec/exec_table.h"

#include <algorithm>

#include "wire/limits.h"

namespace capsem::agent {
namespace {

constexpr int kCannotExecute = 126;  // as docker
// Signals that came before their command. One for each command that may run.
constexpr size_t kMaxEarlySignals = wire::kMaxExecs;

}  // namespace

ExecTable::ExecTable(wire::Mux& mux, ExecServices services)
    : mux_(mux), services_(services), spare_(services_) {}

void ExecTable::OnOpen(wire::ChannelId channel) {
  entries_[channel].channel = std::make_unique<ExecChannel>(
      mux_, channel, [this, channel](auto start) { OnStart(channel, std::move(start)); });
}

void ExecTable::OnReadable(wire::ChannelId channel) {
  // The host ends its half when it has heard the exit: what comes now keeps nobody waiting.
  if (mux_.Finished(channel)) spare_.MakeSoon();
  const auto found = entries_.find(channel);
  if (found == entries_.end()) return Discard(channel);
  found->second.channel->OnReadable();
  Settle(channel);
}

void ExecTable::OnWritable(wire::ChannelId channel) {
  const auto found = entries_.find(channel);
  if (found == entries_.end()) return;
  found->second.channel->OnWritable();
  Settle(channel);
}

void ExecTable::OnReset(wire::ChannelId channel) {
  const auto found = entries_.find(channel);
  if (found == entries_.end()) return;
  found->second.channel->OnReset();
  Settle(channel);
}

void ExecTable::OnStart(wire::ChannelId channel, StatusOr<capsem::guest::v1::ExecStart> start) {
  if (!start.ok()) {
    entries_[channel].channel->Refuse(kCannotExecute, Message(start.status()));
  } else if (state_ == State::kWaiting) {
    waiting_.emplace_back(channel, *std::move(start));
  } else {
    Start(channel, *start);
  }
}

void ExecTable::Start(wire::ChannelId channel, const capsem::guest::v1::ExecStart& start) {
  const auto found = entries_.find(channel);
  if (found == entries_.end()) return;  // the host has given it up meanwhile
  ExecChannel& line = *found->second.channel;
  if (!seen_.Insert(start.exec())) return line.Refuse(kNotTried, "this command has run already");
  if (state_ == State::kDisabled) return line.Refuse(kNotTried, "the machine is shutting down");
  if (running() >= wire::kMaxExecs)
    return line.Refuse(kNotTried, fmt::format("{} commands are running", wire::kMaxExecs));
  auto spec = MakeExecSpec(start, session_);
  if (!spec.ok()) return line.Refuse(kCannotExecute, Message(spec.status()));

  auto& job = found->second.job;
  job = std::make_unique<ExecJob>(services_, spare_, line, *std::move(spec),
                                  [this, channel] { SettleLater(channel); });
  job->Start();
  const auto [first, last] = early_signals_.equal_range(start.exec());
  for (auto signal = first; signal != last; ++signal) job->Signal(static_cast<int>(signal->second));
  early_signals_.erase(first, last);
}

void ExecTable::Enable(Environment session) {
  session_ = std::move(session);
  state_ = State::kEnabled;
  spare_.MakeWhenQuiet();
  StartWaiting();
}

void ExecTable::Disable() {
  state_ = State::kDisabled;
  spare_.Stop();
  StartWaiting();
}

void ExecTable::StartWaiting() {
  while (!waiting_.empty()) {
    const auto [channel, start] = std::move(waiting_.front());
    waiting_.pop_front();
    Start(channel, start);
    Settle(channel);
  }
}

void ExecTable::Signal(uint64_t exec, uint32_t signal) {
  if (signal == 0 || signal > 64) return;
  for (auto& [channel, entry] : entries_) {
    if (entry.job && entry.job->id() == exec) return entry.job->Signal(static_cast<int>(signal));
  }
  if (!seen_.Contains(exec) && early_signals_.size() < kMaxEarlySignals)
    early_signals_.emplace(exec, signal);
}

void ExecTable::SignalAll(int signal) {
  for (auto& [channel, entry] : entries_) {
    if (entry.job) entry.job->Signal(signal);
  }
}

size_t ExecTable::running() const {
  return static_cast<size_t>(std::count_if(entries_.begin(), entries_.end(), [](const auto& entry) {
    return entry.second.job && entry.second.job->running();
  }));
}

void ExecTable::SettleLater(wire::ChannelId channel) {
  services_.loop.Post([self = weak_.Get(), channel] {
    if (self) self->Settle(channel);
  });
}

void ExecTable::Settle(wire::ChannelId channel) {
  const auto found = entries_.find(channel);
  if (found == entries_.end() || !found->second.channel->over()) return;
  Discard(channel);
  if (!found->second.job || found->second.job->gone()) entries_.erase(found);
}

void ExecTable::Discard(wire::ChannelId channel) {
  mux_.Consume(channel, mux_.Readable(channel).size());
}

}  // namespace capsem::agent
