#include "session/session.h"

#include "base/landlock.h"
#include "session/host_limits.h"
#include "wire/limits.h"
#include "wire/proof.h"

namespace capsem::service {
namespace {

using State = Session::State;

bool Leads(State from, State to) {
  switch (from) {
    case State::kCreating:
      return to == State::kRunning || to == State::kFailed || to == State::kStopping ||
             to == State::kGone;
    case State::kRunning: return to == State::kFailed || to == State::kStopping;
    case State::kStopping:
      return to == State::kStopped || to == State::kGone || to == State::kFailed;
    case State::kStopped:
    case State::kFailed: return to == State::kStopping || to == State::kCreating;
    case State::kGone: return false;
  }
  return false;
}

std::string NewSecret() { return wire::ToHex(wire::RandomBytes(wire::kSecretBytes)); }

// What is recorded of it. One that is stopping is as good as running: whoever finds it finds out.
SessionRecord::State RecordedAs(State state) {
  switch (state) {
    case State::kCreating: return SessionRecord::State::kCreating;
    case State::kRunning:
    case State::kStopping: return SessionRecord::State::kRunning;
    case State::kFailed: return SessionRecord::State::kFailed;
    case State::kStopped:
    case State::kGone: break;
  }
  return SessionRecord::State::kStopped;
}

State StateOf(SessionRecord::State recorded) {
  switch (recorded) {
    case SessionRecord::State::kRunning: return State::kRunning;
    case SessionRecord::State::kFailed: return State::kFailed;
    case SessionRecord::State::kCreating:
    case SessionRecord::State::kStopped: break;
  }
  return State::kStopped;
}

capsem::v1::SessionKind ProtoOf(SessionKind kind) {
  switch (kind) {
    case SessionKind::kEphemeral: return capsem::v1::SESSION_KIND_EPHEMERAL;
    case SessionKind::kPersistent: return capsem::v1::SESSION_KIND_PERSISTENT;
    case SessionKind::kBound: return capsem::v1::SESSION_KIND_BOUND;
  }
  return capsem::v1::SESSION_KIND_UNSPECIFIED;
}

capsem::v1::SessionState ProtoOf(State state) {
  switch (state) {
    case State::kCreating: return capsem::v1::SESSION_STATE_CREATING;
    case State::kRunning:
    case State::kStopping: return capsem::v1::SESSION_STATE_RUNNING;
    case State::kFailed: return capsem::v1::SESSION_STATE_FAILED;
    case State::kStopped:
    case State::kGone: return capsem::v1::SESSION_STATE_STOPPED;
  }
  return capsem::v1::SESSION_STATE_UNSPECIFIED;
}

}  // namespace

std::string_view NameOf(State state) {
  switch (state) {
    case State::kCreating: return "creating";
    case State::kRunning: return "running";
    case State::kStopping: return "stopping";
    case State::kStopped: return "stopped";
    case State::kFailed: return "failed";
    case State::kGone: return "gone";
  }
  return "unknown";
}

Session::Session(SessionId id, SessionSpec spec, HostKind host, int64_t created_unix_ms)
    : record_{.id = std::move(id),
              .name = std::move(spec.name),
              .kind = spec.kind,
              .image = std::move(spec.image),
              .cpus = spec.cpus,
              .memory_mib = spec.memory_mib,
              .disk_gib = spec.disk_gib,
              .kvm = host.kvm,
              .created_unix_ms = created_unix_ms,
              .env = std::move(spec.env),
              .secret = NewSecret()} {}

Session::Session(SessionRecord record)
    : record_(std::move(record)), state_(StateOf(record_.state)) {
  record_.state = RecordedAs(state_);
  if (record_.secret.empty()) record_.secret = NewSecret();
}

Status Session::To(State next, std::string reason) {
  if (!Leads(state_, next)) {
    return FailedPrecondition("session {} is {}: it cannot become {}", label(), NameOf(state_),
                              NameOf(next));
  }
  state_ = next;
  record_.state = RecordedAs(next);
  record_.reason = std::move(reason);
  trouble_.clear();
  record_.used = record_.used || next == State::kRunning;
  if (next != State::kRunning && next != State::kStopping) {
    record_.process = {};
    cgroup_.clear();
  }
  return OkStatus();
}

void Session::set_pids(int process, int machine) {
  process_pid_ = process;
  machine_pid_ = machine;
}

capsem::v1::Session Session::ToProto() const {
  capsem::v1::Session proto;
  proto.set_id(id().text());
  if (record_.name) proto.set_name(record_.name->text());
  proto.set_state(ProtoOf(state_));
  proto.set_reason(reason());
  proto.set_image(record_.image);
  proto.set_cpus(record_.cpus);
  proto.set_memory_mib(record_.memory_mib);
  proto.set_disk_gib(record_.disk_gib);
  proto.set_isolation(host().isolation());
  proto.set_persistent(persistent());
  proto.set_created_unix_ms(record_.created_unix_ms);
  proto.set_process_pid(static_cast<uint32_t>(process_pid_));
  proto.set_machine_pid(static_cast<uint32_t>(machine_pid_));
  proto.set_accelerator(host().accelerator());
  proto.set_image_digest(record_.image_digest);
  proto.set_limits(LimitsOf(LandlockAbi()));
  proto.set_cgroup(cgroup_);
  proto.set_kind(ProtoOf(record_.kind));
  return proto;
}

}  // namespace capsem::service
