#include "agent.h"

#include <sys/utsname.h>

#include "base/log.h"
#include "wire/limits.h"

namespace capsem::agent {
namespace {

using capsem::guest::v1::Configure;
using capsem::guest::v1::GuestFrame;
using capsem::guest::v1::HostFrame;

// When the link is lost for good nobody can say how long: long enough for a database to close.
constexpr std::chrono::seconds kLastGrace{5};

}  // namespace

Agent::Agent(ExecServices services, FileRoot root, HostLink::Dial dial, Identity identity,
             PowerOff::Machine machine)
    : services_(services),
      identity_(std::move(identity)),
      mux_(wire::Mux::Side::kGuest, MuxEvents()),
      execs_(mux_, services),
      files_(mux_, services, root),
      power_off_(services_, execs_, std::move(machine)),
      control_in_(wire::kMaxControlFrame),
      link_(services.loop, mux_, std::move(dial),
            {[this](const Status& why) { OnLostForGood(why); }}) {}

wire::Mux::Events Agent::MuxEvents() {
  wire::Mux::Events events;
  events.on_open = [this](wire::ChannelId channel, wire::ChannelKind kind, std::string_view) {
    OnOpen(channel, kind);
  };
  events.on_readable = [this](wire::ChannelId channel) { OnReadable(channel); };
  events.on_writable = [this](wire::ChannelId channel) { OnWritable(channel); };
  events.on_reset = [this](wire::ChannelId channel) { OnReset(channel); };
  events.on_output = [this] { link_.PumpSoon(); };
  return events;
}

void Agent::OnOpen(wire::ChannelId channel, wire::ChannelKind kind) {
  switch (kind) {
    case wire::ChannelKind::kExec: return execs_.OnOpen(channel);
    case wire::ChannelKind::kFile: return files_.OnOpen(channel);
    case wire::ChannelKind::kControl: break;
  }
  mux_.Reset(channel);
}

// What nobody has any more is the commands' to drop.
void Agent::OnReadable(wire::ChannelId channel) {
  if (channel == wire::kControlChannel)
    OnControlBytes();
  else if (files_.Has(channel))
    files_.OnReadable(channel);
  else
    execs_.OnReadable(channel);
}

void Agent::OnWritable(wire::ChannelId channel) {
  if (channel == wire::kControlChannel)
    control_out_.erase(0, mux_.Write(channel, control_out_));
  else if (files_.Has(channel))
    files_.OnWritable(channel);
  else
    execs_.OnWritable(channel);
}

void Agent::OnReset(wire::ChannelId channel) {
  if (files_.Has(channel))
    files_.OnReset(channel);
  else
    execs_.OnReset(channel);
}

void Agent::OnControlBytes() {
  const std::string_view bytes = mux_.Readable(wire::kControlChannel);
  const size_t count = bytes.size();
  control_in_.Feed(bytes);
  mux_.Consume(wire::kControlChannel, count);
  for (;;) {
    const auto next = control_in_.Next();
    if (!next.ok()) return OnLostForGood(next.status());
    if (!next->has_value()) return;
    const std::string_view payload = (*next)->payload;
    HostFrame frame;
    if (!frame.ParseFromArray(payload.data(), static_cast<int>(payload.size())))
      return OnLostForGood(DataLoss("a control frame of the host cannot be read"));
    OnFrame(frame);
  }
}

void Agent::OnFrame(const HostFrame& frame) {
  switch (frame.kind_case()) {
    case HostFrame::kConfigure: return OnConfigure(frame.configure());
    case HostFrame::kSignal: return execs_.Signal(frame.signal().exec(), frame.signal().signal());
    case HostFrame::kPowerOff:
      return BeginPowerOff(std::chrono::milliseconds(frame.power_off().grace_ms()));
    case HostFrame::kQuiesce: return OnQuiesce(frame.quiesce());
    case HostFrame::KIND_NOT_SET: break;  // of a later host: what matters it asks by version
  }
}

void Agent::OnConfigure(const Configure& configure) {
  Environment env(configure.env().begin(), configure.env().end());
  identity_(configure, [self = weak_.Get(), env = std::move(env)](const Status& applied) mutable {
    if (!self) return;
    utsname kernel{};
    uname(&kernel);
    GuestFrame answer;
    answer.mutable_configured()->set_kernel(kernel.release);
    if (!applied.ok()) answer.mutable_configured()->set_error(Describe(applied));
    self->Tell(answer);
    if (!applied.ok()) return;
    self->execs_.Enable(std::move(env));
    self->files_.Enable();
  });
}

void Agent::OnQuiesce(const capsem::guest::v1::Quiesce& quiesce) {
  GuestFrame answer;
  answer.mutable_quiesced()->set_token(quiesce.token());
  Tell(answer);
}

void Agent::BeginPowerOff(std::chrono::milliseconds grace, PowerOff::End end) {
  files_.Disable();
  GuestFrame answer;
  answer.mutable_powering_off();
  Tell(answer);
  power_off_.Begin(grace, end);
}

void Agent::Tell(const GuestFrame& frame) {
  wire::AppendFrame(control_out_, wire::FrameKind::kMessage, frame.SerializeAsString());
  control_out_.erase(0, mux_.Write(wire::kControlChannel, control_out_));
}

// Nobody can reach this machine any more, so it must not go on as if somebody could.
void Agent::OnLostForGood(const Status& why) {
  log::Error("the link is lost for good", {{"why", why}});
  power_off_.Begin(kLastGrace);
}

}  // namespace capsem::agent
