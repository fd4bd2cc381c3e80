// One session: the durable thing that a user names, and its states. Pure: no process, no file, no
// clock; whoever makes something happen says so with To. Owned by session_table.
//
//                      its guest is up
//   ┌──► creating ─────────────────────► running
//   │     │   ▲ │                        │     │
//   │     │   │ └──► failed ◄── it dies ─┘     │
//   │     │   │start  │ │                      │
//   │     │   └───────┘ │ delete, or start     │ stop, delete,
//   │     │ stop,       │ while it is dying    │ or it powers itself off
//   │     │ delete      ▼                      │
//   │     └────────► stopping ◄────────────────┘
//   │                 │    ▲ │
//   │       keeps its │    │ └───► gone   (ephemeral, or deleted)
//   │ start disk      ▼    │ delete
//   └─────────────── stopped
//
// A session that is refused while it is being made goes from creating to gone, and one that could
// not be removed from stopping to failed, where it can be deleted again. `running` in the API's
// sense is also one that is stopping: its machine may still live. Which verb is allowed when is in
// verb_rules.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/status.h"
#include "capsem/v1/sessions.pb.h"
#include "session/host_kind.h"
#include "session/session_spec.h"
#include "store/session_record.h"
#include "wire/ids.h"

namespace capsem::service {

class Session {
 public:
  enum class State { kCreating, kRunning, kStopping, kStopped, kFailed, kGone };

  // A new one, creating.
  Session(SessionId id, SessionSpec spec, HostKind host, int64_t created_unix_ms);
  // One of before, as the record says; one that was starting is stopped.
  explicit Session(SessionRecord record);

  // FailedPrecondition, and nothing changes: the drawing has no such arrow.
  Status To(State next, std::string reason = {});

  State state() const { return state_; }
  // All of it that the registry keeps; as of now.
  const SessionRecord& record() const { return record_; }
  const SessionId& id() const { return record_.id; }
  const std::optional<SessionName>& name() const { return record_.name; }
  SessionKind kind() const { return record_.kind; }
  bool persistent() const { return record_.kind == SessionKind::kPersistent; }
  HostKind host() const { return {.kvm = record_.kvm}; }
  // Why it is failed or stopped, or why its guest stands still, as a sentence.
  const std::string& reason() const { return trouble_.empty() ? record_.reason : trouble_; }
  // Its machine lives, or is about to.
  bool live() const { return state_ == State::kCreating || state_ == State::kRunning; }
  // How people know it: its name, else its id.
  const std::string& label() const { return record_.name ? record_.name->text() : id().text(); }

  void set_name(std::optional<SessionName> name) { record_.name = std::move(name); }
  void set_kind(SessionKind kind) { record_.kind = kind; }
  // Of the machine that is about to start.
  void set_host(HostKind host) { record_.kvm = host.kvm; }
  void set_image_digest(std::string digest) { record_.image_digest = std::move(digest); }
  // The process of its machine, as the registry keeps it; forgotten when the machine is gone.
  void set_process(ProcessId process) { record_.process = std::move(process); }
  void set_pids(int process, int machine);
  // Until its next state; "" = its guest goes on. False: that was known.
  bool set_trouble(std::string why) { return std::exchange(trouble_, std::move(why)) != trouble_; }
  // What limits its machine beside rlimits (MachineGroup::text); forgotten with the machine.
  void set_cgroup(std::string text) { cgroup_ = std::move(text); }
  capsem::v1::Session ToProto() const;

 private:
  SessionRecord record_;
  State state_ = State::kCreating;
  std::string trouble_;
  int process_pid_ = 0;
  int machine_pid_ = 0;
  std::string cgroup_;
};

std::string_view NameOf(Session::State state);

}  // namespace capsem::service
