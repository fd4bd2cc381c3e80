// One session: the durable thing that a user names, and its states. Pure: no process, no file, no
// clock; whoever makes something happen says so with To. Owned by session_table.
//
//                      its guest is up
//        creating ─────────────────────► running
//         │     │                        │     │
//         │     └──► failed ◄── it dies ─┘     │
//         │             │                      │
//         │ stop,       │ delete               │ stop, delete,
//         │ delete      ▼                      │ or it powers itself off
//         └────────► stopping ◄────────────────┘
//                     │    ▲ │
//           keeps its │    │ └───► gone   (ephemeral, or deleted)
//           disk      ▼    │ delete
//                    stopped
//
// A session that is refused while it is being made goes from creating to gone. `running` in the
// API's sense is also one that is stopping: its machine may still live.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"
#include "capsem/v1/sessions.pb.h"
#include "session/host_kind.h"
#include "session/session_spec.h"
#include "wire/ids.h"

namespace capsem::service {

class Session {
 public:
  enum class State { kCreating, kRunning, kStopping, kStopped, kFailed, kGone };

  Session(SessionId id, SessionSpec spec, HostKind host, int64_t created_unix_ms);

  // FailedPrecondition, and nothing changes: the drawing has no such arrow.
  Status To(State next, std::string reason = {});

  State state() const { return state_; }
  const SessionId& id() const { return id_; }
  const SessionSpec& spec() const { return spec_; }
  const HostKind& host() const { return host_; }
  bool persistent() const { return spec_.name.has_value(); }
  // Why it is failed or stopped, as a sentence.
  const std::string& reason() const { return reason_; }
  // Its machine lives, or is about to.
  bool live() const { return state_ == State::kCreating || state_ == State::kRunning; }
  // How people know it: its name, else its id.
  const std::string& label() const { return spec_.name ? spec_.name->text() : id_.text(); }

  void set_image_digest(std::string digest) { image_digest_ = std::move(digest); }
  void set_pids(int process, int machine);
  capsem::v1::Session ToProto() const;

 private:
  const SessionId id_;
  const SessionSpec spec_;
  const HostKind host_;
  const int64_t created_unix_ms_;
  State state_ = State::kCreating;
  std::string reason_;
  std::string image_digest_;
  int process_pid_ = 0;
  int machine_pid_ = 0;
};

std::string_view NameOf(Session::State state);

}  // namespace capsem::service
