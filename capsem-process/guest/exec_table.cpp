#include "guest/exec_table.h"

#include <algorithm>
#include <filesystem>
#include <utility>

#include "wire/limits.h"

namespace capsem::process {
namespace {

using capsem::guest::v1::HostFrame;

capsem::guest::v1::ExecStart ToGuest(const capsem::v1::ExecStart& request, uint64_t exec) {
  capsem::guest::v1::ExecStart start;
  start.set_exec(exec);
  if (request.shell().empty()) {
    *start.mutable_argv() = request.argv();
  } else {
    for (const char* word : {"/bin/sh", "-c"}) start.add_argv(word);
    start.add_argv(request.shell());
  }
  for (const auto& variable : request.env()) {
    (*start.mutable_env())[variable.key()] = variable.value();
  }
  start.set_cwd(request.cwd());
  start.set_timeout_ms(request.timeout_ms());
  start.set_stdin_open(request.stdin_open());
  start.set_uid(request.uid());
  if (!request.has_pty()) return start;
  auto& pty = *start.mutable_pty();
  pty.set_term(request.pty().term());
  pty.mutable_size()->set_rows(request.pty().size().rows());
  pty.mutable_size()->set_cols(request.pty().size().cols());
  return start;
}

// An older agent would leave out what it does not know.
Status CheckProtocol(const capsem::v1::ExecStart& request, uint32_t protocol) {
  const bool wanted = request.has_pty() || request.uid() != 0;
  if (!wanted || protocol >= wire::kProtocolTerminals) return OkStatus();
  return WithRemedy(FailedPrecondition("the agent in this session is too old for a command with {}",
                                       request.has_pty() ? "a terminal" : "a user"),
                    "make a new session of an image that is built now: `capsem image build`");
}

}  // namespace

ExecTable::ExecTable(Loop& loop, SpoolPlace spools, LinkGetter link)
    : loop_(loop), spools_(std::move(spools)), link_(std::move(link)) {
  std::error_code nothing_there;
  std::filesystem::remove_all(spools_.path, nothing_there);
}

StatusOr<ExecTable::Handle> ExecTable::Start(const capsem::v1::ExecStart& request, ExecSink sink) {
  loop_.AssertOwned();
  if (running_.size() >= wire::kMaxExecs) {
    return WithRemedy(ResourceExhausted("{} commands run in this session", running_.size()),
                      "wait for one to end, or end one: `capsem ps` lists them, `capsem kill` ends "
                      "one");
  }
  TRY(CheckProtocol(request, protocol_));
  const wire::ChannelId channel = TRY(link_().mux().Open(wire::ChannelKind::kExec));
  const uint64_t id = next_id_++;
  running_[channel] = id;
  Entry& entry = entries_[id];
  entry.record = std::make_unique<ExecRecord>(
      loop_, id, request, SpoolPlace{fmt::format("{}/{}", spools_.path, id), spools_.bytes},
      [this, channel] {
        if (ExecRun* run = FindByChannel(channel)) run->OnReadable();
      });
  entry.running = std::make_unique<Running>(
      id, channel, [this]() -> wire::Mux& { return link_().mux(); }, *entry.record);
  entry.running->run.Start(ToGuest(request, id), [this] { SweepLater(); });
  return Handle{id, TRY(entry.record->Attach(0, std::move(sink))), entry.running->weak.Get()};
}

StatusOr<ExecTable::Handle> ExecTable::Attach(const capsem::v1::ExecAttach& request,
                                              ExecSink sink) {
  const auto found = entries_.find(request.exec());
  if (found == entries_.end()) {
    return WithRemedy(
        NotFound("no command {} is known in this session", request.exec()),
        fmt::format("`capsem ps` lists those there are: all that run, and the last {} "
                    "that have ended",
                    wire::kFinishedExecs));
  }
  Entry& entry = found->second;
  const auto offset = request.has_offset() ? std::optional(request.offset()) : std::nullopt;
  Handle handle{request.exec(), TRY(entry.record->Attach(offset, std::move(sink))), {}};
  if (entry.running) handle.run = entry.running->weak.Get();
  return handle;
}

Status ExecTable::Signal(uint64_t exec, uint32_t signal) {
  const auto found = entries_.find(exec);
  if (found == entries_.end() || !found->second.running || found->second.running->run.ended()) {
    return WithRemedy(NotFound("no command {} runs in this session", exec),
                      "it may have ended: `capsem ps` shows which have");
  }
  found->second.running->run.WhenStarted([this, exec, signal] {
    HostFrame frame;
    frame.mutable_signal()->set_exec(exec);
    frame.mutable_signal()->set_signal(signal);
    link_().SendControl(frame);
  });
  found->second.record->OnSignal();
  return OkStatus();
}

capsem::v1::ListExecsResponse ExecTable::List() const {
  capsem::v1::ListExecsResponse list;
  for (const auto& [id, entry] : entries_) *list.add_execs() = entry.record->Info();
  return list;
}

void ExecTable::OnReadable(wire::ChannelId channel) {
  if (ExecRun* run = FindByChannel(channel)) run->OnReadable();
}

void ExecTable::OnWritable(wire::ChannelId channel) {
  if (ExecRun* run = FindByChannel(channel)) run->OnWritable();
}

void ExecTable::OnReset(wire::ChannelId channel) {
  ExecRun* run = FindByChannel(channel);
  if (run != nullptr) run->Fail(Unavailable("the guest gave up command {}", run->id()));
}

void ExecTable::OnRebuilt() {
  // A try that takes too little makes the new link tell.
  for (const auto& [channel, id] : running_) FindByChannel(channel)->OnWritable();
}

void ExecTable::Fail(const Status& reason) {
  for (const auto& [channel, id] : running_) FindByChannel(channel)->Fail(reason);
}

ExecRun* ExecTable::FindByChannel(wire::ChannelId channel) {
  const auto found = running_.find(channel);
  return found == running_.end() ? nullptr : &entries_.at(found->second).running->run;
}

void ExecTable::SweepLater() {
  if (std::exchange(sweeping_, true)) return;
  loop_.Post([self = weak_.Get()] {
    if (self) self->Sweep();
  });
}

void ExecTable::Sweep() {
  sweeping_ = false;
  std::erase_if(running_, [this](const auto& item) {
    Entry& entry = entries_.at(item.second);
    if (!entry.running->run.ended()) return false;
    entry.running.reset();
    ended_.push_back(item.second);
    return true;
  });
  ForgetOldest();
}

void ExecTable::ForgetOldest() {
  std::vector<EndedExec> ended;
  for (const uint64_t id : ended_) {
    const ExecRecord& record = *entries_.at(id).record;
    ended.push_back({id, record.file_bytes(), record.has_readers()});
  }
  for (const uint64_t id : TooOld(ended)) {
    std::erase(ended_, id);
    entries_.erase(id);
  }
}

std::vector<uint64_t> TooOld(const std::vector<EndedExec>& ended) {
  uint64_t bytes = 0;
  for (const EndedExec& exec : ended) bytes += exec.file_bytes;
  size_t count = ended.size();
  std::vector<uint64_t> old;
  for (const EndedExec& exec : ended) {
    if (count <= wire::kFinishedExecs && bytes <= wire::kFinishedSpools) break;
    if (exec.has_readers) continue;
    --count;
    bytes -= exec.file_bytes;
    old.push_back(exec.id);
  }
  return old;
}

}  // namespace capsem::process
