// The guest as we see it: who it is told to be, the link to it, and its commands. Owned by app;
// loop thread only.
#pragma once

#include <absl/functional/any_invocable.h>

#include <map>
#include <memory>
#include <string>

#include "base/loop.h"
#include "base/status.h"
#include "capsem/guest/v1/guest.pb.h"
#include "guest/exec_table.h"
#include "guest/file_runs.h"
#include "guest/guest_link.h"

namespace capsem::process {

// Who the guest is told to be, before it runs anything.
struct GuestIdentity {
  std::string session_id;
  std::string session_name;  // "" = none: the hostname is the id then
  std::map<std::string, std::string> env;
};

class GuestSession {
 public:
  struct Events {
    absl::AnyInvocable<void()> on_configured;    // once: commands may run
    absl::AnyInvocable<void()> on_powering_off;  // the guest says that it goes down
    absl::AnyInvocable<void(Status)>
        on_broken;                     // the link is lost for good; every command has been ended
    absl::AnyInvocable<void()> on_up;  // each time the link has come up
  };

  // `spools`: the folder of what commands have written.
  GuestSession(Loop& loop, GuestIdentity identity, SpoolPlace spools, Events events);

  // A new connection of the guest.
  void Adopt(UniqueFd fd) { link_->Adopt(std::move(fd)); }

  ExecTable& execs() { return execs_; }
  FileRuns& files() { return files_; }
  void PowerOff(uint32_t grace_ms);
  // The machine is gone: ends everything that is pending with this reason.
  void Fail(const Status& reason);

  // The device is gone, hence the connection, whether its end has been heard yet or not.
  void DropConnection() { link_->DropConnection(); }
  // While the guest stands still on purpose it is not expected to answer.
  void Rest(bool resting) { link_->Rest(resting); }
  bool link_up() const { return link_->up(); }
  // Destroys the link object and makes it anew from its saved state, as a restore does. Only while
  // the link is down.
  Status RebuildLink(const std::string& state_path);

 private:
  GuestLink::Events LinkEvents();
  void OnUp();
  void OnControl(const capsem::guest::v1::GuestFrame& frame);
  void Configure();

  Loop& loop_;
  const GuestIdentity identity_;
  Events events_;
  std::unique_ptr<GuestLink> link_;
  bool configured_ = false;
  ExecTable execs_;
  FileRuns files_{loop_, [this]() -> wire::Mux& { return link_->mux(); }};
};

}  // namespace capsem::process
