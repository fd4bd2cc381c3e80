#include "guest/guest_session.h"

#include <chrono>
#include <utility>

#include "base/log.h"
#include "base/planted.h"
#include "wire/proof.h"

namespace capsem::process {
namespace {

using capsem::guest::v1::GuestFrame;
using capsem::guest::v1::HostFrame;

}  // namespace

GuestSession::GuestSession(Loop& loop, GuestIdentity identity, SpoolPlace spools, Events events)
    : loop_(loop),
      identity_(std::move(identity)),
      events_(std::move(events)),
      link_(std::make_unique<GuestLink>(loop, LinkEvents())),
      execs_(loop, std::move(spools), [this]() -> GuestLink& { return *link_; }) {}

GuestLink::Events GuestSession::LinkEvents() {
  return {
      .on_up = [this] { OnUp(); },
      .on_control = [this](const GuestFrame& frame) { OnControl(frame); },
      .on_readable =
          [this](wire::ChannelId id) {
            if (FileRun* run = files_.Find(id)) return run->OnReadable();
            execs_.OnReadable(id);
          },
      .on_writable =
          [this](wire::ChannelId id) {
            if (FileRun* run = files_.Find(id)) return run->OnWritable();
            execs_.OnWritable(id);
          },
      .on_reset =
          [this](wire::ChannelId id) {
            if (FileRun* run = files_.Find(id))
              return run->Fail(Unavailable("the guest gave up an operation on files"));
            execs_.OnReset(id);
          },
      .on_broken =
          [this](Status status) {
            Fail(status);
            events_.on_broken(std::move(status));
          },
  };
}

void GuestSession::OnUp() {
  execs_.OnLinkUp(link_->protocol());
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
      // Planted 1: as often as the guest says so.
      if (std::exchange(configured_, true) && !PLANTED(1)) return;
      return events_.on_configured();
    case GuestFrame::kPoweringOff: return events_.on_powering_off();
    case GuestFrame::kProblem:
      return log::Warning("the guest reports a problem", {{"text", frame.problem().text()}});
    case GuestFrame::kQuiesced:
    case GuestFrame::KIND_NOT_SET: return;  // an agent of another version may say more than we know
  }
}

void GuestSession::PowerOff(uint32_t grace_ms) {
  HostFrame frame;
  frame.mutable_power_off()->set_grace_ms(grace_ms);
  link_->SendControl(frame);
}

void GuestSession::Fail(const Status& reason) {
  execs_.Fail(reason);
  files_.FailAll(reason);
}

Status GuestSession::RebuildLink(const std::string& state_path) {
  TRY(link_->SaveTo(state_path));
  link_.reset();
  link_ = TRY(GuestLink::RestoreFrom(loop_, state_path, LinkEvents()));
  execs_.OnRebuilt();
  files_.OnNewLink();
  return OkStatus();
}

}  // namespace capsem::process
