#include "guest/guest_session.h"

#include <chrono>
#include <utility>

#include "base/log.h"
#include "wire/limits.h"
#include "wire/proof.h"

namespace capsem::process {
namespace {

using capsem::guest::v1::GuestFrame;
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
  return start;
}

}  // namespace

GuestSession::GuestSession(Loop& loop, GuestIdentity identity, Events events)
    : loop_(loop),
      identity_(std::move(identity)),
      events_(std::move(events)),
      link_(std::make_unique<GuestLink>(loop, LinkEvents())) {}

GuestLink::Events GuestSession::LinkEvents() {
  return {
      .on_up = [this] { OnUp(); },
      .on_control = [this](const GuestFrame& frame) { OnControl(frame); },
      .on_readable =
          [this](wire::ChannelId id) {
            if (ExecRun* run = FindByChannel(id)) return run->OnReadable();
            if (FileRun* run = files_.Find(id)) run->OnReadable();
          },
      .on_writable =
          [this](wire::ChannelId id) {
            if (ExecRun* run = FindByChannel(id)) return run->OnWritable();
            if (FileRun* run = files_.Find(id)) run->OnWritable();
          },
      .on_reset =
          [this](wire::ChannelId id) {
            ExecRun* run = FindByChannel(id);
            if (run != nullptr)
              return run->Fail(Unavailable("the guest gave up command {}", run->id()));
            if (FileRun* file = files_.Find(id))
              file->Fail(Unavailable("the guest gave up an operation on files"));
          },
      .on_broken =
          [this](Status status) {
            Fail(status);
            events_.on_broken(std::move(status));
          },
  };
}

void GuestSession::OnUp() {
  if (!configured_) Configure();
  events_.on_up();
}

void GuestSession::Configure() {
  HostFrame frame;
  auto& configure = *frame.mutable_configure();
  configure.set_session_id(identity_.session_id);
  configure.set_session_name(identity_.session_name);
  configure.set_hostname(identity_.session_name.empty() ? identity_.session_id
                                                        : identity_.session_name);
  for (const auto& [key, value] : identity_.env) (*configure.mutable_env())[key] = value;
  // What a command may want to know of the machine it runs in.
  (*configure.mutable_env())["CAPSEM_VM_ID"] = identity_.session_id;
  (*configure.mutable_env())["CAPSEM_VM_NAME"] = configure.hostname();
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  configure.set_wall_clock_ns(std::chrono::duration_cast<std::chrono::nanoseconds>(now).count());
  configure.set_entropy(wire::RandomBytes(32));
  configure.set_machine_id(wire::ToHex(wire::RandomBytes(16)));
  link_->SendControl(frame);
}

void GuestSession::OnControl(const GuestFrame& frame) {
  switch (frame.kind_case()) {
    case GuestFrame::kConfigured:
      log::Info("the guest is configured",
                {{"kernel", frame.configured().kernel()}, {"error", frame.configured().error()}});
      if (std::exchange(configured_, true)) return;
      return events_.on_configured();
    case GuestFrame::kPoweringOff: return events_.on_powering_off();
    case GuestFrame::kProblem:
      return log::Warning("the guest reports a problem", {{"text", frame.problem().text()}});
    case GuestFrame::kQuiesced:
    case GuestFrame::KIND_NOT_SET: return;  // an agent of another version may say more than we know
  }
}

StatusOr<Weak<ExecRun>> GuestSession::Exec(const capsem::v1::ExecStart& request, ExecSink sink) {
  loop_.AssertOwned();
  if (runs_.size() >= wire::kMaxExecs) {
    return WithRemedy(ResourceExhausted("{} commands run in this session", runs_.size()),
                      "wait for one to end, or end one with a signal");
  }
  const wire::ChannelId channel = TRY(link_->mux().Open(wire::ChannelKind::kExec));
  const uint64_t id = next_exec_++;
  sink.on_end = [self = weak_.Get(), on_end = std::move(sink.on_end)](Status status) mutable {
    on_end(std::move(status));
    if (self) self->SweepEnded();
  };
  auto& entry = runs_[channel];
  entry = std::make_unique<Entry>(
      id, channel, [this]() -> wire::Mux& { return link_->mux(); }, std::move(sink));
  entry->run.Start(ToGuest(request, id));
  return entry->weak.Get();
}

Status GuestSession::Signal(uint64_t exec, uint32_t signal) {
  for (auto& [channel, entry] : runs_) {
    if (entry->run.id() != exec || entry->run.ended()) continue;
    entry->run.WhenStarted([this, exec, signal] {
      HostFrame frame;
      frame.mutable_signal()->set_exec(exec);
      frame.mutable_signal()->set_signal(signal);
      link_->SendControl(frame);
    });
    return OkStatus();
  }
  return WithRemedy(NotFound("no command {} runs in this session", exec),
                    "it may have ended: the last event of its stream says how");
}

void GuestSession::PowerOff(uint32_t grace_ms) {
  HostFrame frame;
  frame.mutable_power_off()->set_grace_ms(grace_ms);
  link_->SendControl(frame);
}

void GuestSession::Fail(const Status& reason) {
  for (auto& [channel, entry] : runs_) entry->run.Fail(reason);
  files_.FailAll(reason);
}

Status GuestSession::RebuildLink(const std::string& state_path) {
  TRY(link_->SaveTo(state_path));
  link_.reset();
  link_ = TRY(GuestLink::RestoreFrom(loop_, state_path, LinkEvents()));
  // Who waited for room waited on the old object: a try that takes too little makes the new one
  // tell.
  for (auto& [channel, entry] : runs_) entry->run.OnWritable();
  files_.OnNewLink();
  return OkStatus();
}

ExecRun* GuestSession::FindByChannel(wire::ChannelId channel) {
  const auto found = runs_.find(channel);
  return found == runs_.end() ? nullptr : &found->second->run;
}

void GuestSession::SweepEnded() {
  loop_.Post([self = weak_.Get()] {
    if (!self) return;
    std::erase_if(self->runs_, [](const auto& item) { return item.second->run.ended(); });
  });
}

}  // namespace capsem::process
