#include "session/session.h"

namespace capsem::service {
namespace {

using State = Session::State;

bool Leads(State from, State to) {
  switch (from) {
    case State::kCreating:
      return to == State::kRunning || to == State::kFailed || to == State::kStopping ||
             to == State::kGone;
    case State::kRunning: return to == State::kFailed || to == State::kStopping;
    case State::kStopping: return to == State::kStopped || to == State::kGone;
    case State::kStopped:
    case State::kFailed: return to == State::kStopping;
    case State::kGone: return false;
  }
  return false;
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
    : id_(std::move(id)), spec_(std::move(spec)), host_(host), created_unix_ms_(created_unix_ms) {}

Status Session::To(State next, std::string reason) {
  if (!Leads(state_, next)) {
    return FailedPrecondition("session {} is {}: it cannot become {}", label(), NameOf(state_),
                              NameOf(next));
  }
  state_ = next;
  reason_ = std::move(reason);
  return OkStatus();
}

void Session::set_pids(int process, int machine) {
  process_pid_ = process;
  machine_pid_ = machine;
}

capsem::v1::Session Session::ToProto() const {
  capsem::v1::Session proto;
  proto.set_id(id_.text());
  if (spec_.name) proto.set_name(spec_.name->text());
  proto.set_state(ProtoOf(state_));
  proto.set_reason(reason_);
  proto.set_image(spec_.image);
  proto.set_cpus(spec_.cpus);
  proto.set_memory_mib(spec_.memory_mib);
  proto.set_isolation(host_.isolation());
  proto.set_persistent(persistent());
  proto.set_created_unix_ms(created_unix_ms_);
  proto.set_process_pid(static_cast<uint32_t>(process_pid_));
  proto.set_machine_pid(static_cast<uint32_t>(machine_pid_));
  proto.set_accelerator(host_.accelerator());
  proto.set_image_digest(image_digest_);
  proto.set_limits("rlimit");
  return proto;
}

}  // namespace capsem::service
