#include "session/halt.h"

#include <utility>

#include "session/session_dir.h"

namespace capsem::service {
namespace {

// How long capsem-process and QEMU may take to leave when the guest has powered off, or was to.
constexpr std::chrono::seconds kLeaveLimit{5};

// For the calls that its machine still had.
Status Ended(const Session& session, Halt::Kind kind) {
  if (kind == Halt::Kind::kDelete) {
    return WithRemedy(Unavailable("session {} was deleted", session.label()),
                      "`capsem create` makes another");
  }
  return WithRemedy(Unavailable("session {} was stopped", session.label()),
                    session.persistent()
                        ? fmt::format("`capsem start {}` starts it again", session.label())
                        : "`capsem create` makes another");
}

}  // namespace

Halt::Halt(Loop& loop, SessionTable& table, SessionSlot& slot, Kind kind, Done on_done)
    : loop_(loop),
      table_(table),
      slot_(slot),
      kind_(kind),
      on_done_(std::move(on_done)),
      limit_(loop) {}

void Halt::Start(std::chrono::milliseconds grace, bool booting) {
  booting_ = booting;
  if (booting_) return;
  if (kind_ == Kind::kStop && grace.count() > 0) return AskGuest(grace);
  if (kind_ == Kind::kDelete && slot_.process) slot_.process->Kill();
  AwaitGone();
}

void Halt::OnBootOver() {
  booting_ = false;
  if (slot_.process) slot_.process->Kill();
  AwaitGone();
}

void Halt::AskGuest(std::chrono::milliseconds grace) {
  if (!slot_.process) return AwaitGone();
  slot_.client->Stop(grace, [](const Status&) {});
  limit_.Start(grace + kLeaveLimit, [this] {
    if (slot_.process) slot_.process->Kill();
  });
}

void Halt::Hasten() {
  kind_ = Kind::kDelete;
  if (slot_.process) slot_.process->Kill();
}

void Halt::AwaitGone() {
  if (slot_.process) {
    limit_.Start(kLeaveLimit, [this] {
      if (slot_.process) slot_.process->Kill();
    });
    return;
  }
  limit_.Cancel();
  slot_.client->Close(Ended(slot_.session, kind_));
  OnMachineGone();
}

void Halt::OnProcessGone() {
  if (!booting_) AwaitGone();
}

void Halt::OnMachineGone() {
  if (std::exchange(ended_, true)) return;
  if (removes()) return Unrecord();
  loop_.Post([self = weak_.Get()] {
    if (self) self->Finish(OkStatus());
  });
}

// The record goes before the folder: a folder that no record knows is removed at the next start, so
// that a delete which was cut short is finished then.
void Halt::Unrecord() {
  removing_ = true;
  if (!slot_.recorded) return RemoveFolder(OkStatus());
  table_.Unrecord(slot_, [self = weak_.Get()](const Status& unrecorded) {
    if (self) self->RemoveFolder(unrecorded);
  });
}

void Halt::RemoveFolder(const Status& unrecorded) {
  const auto result = std::make_shared<Status>();
  loop_.RunBlocking([result, dir = slot_.dir] { *result = RemoveSessionDir(dir); },
                    [self = weak_.Get(), result, unrecorded] {
                      if (self) self->OnFolderRemoved(unrecorded, *result);
                    });
}

void Halt::OnFolderRemoved(const Status& unrecorded, const Status& removed) {
  if (unrecorded.ok() || !removed.ok()) return Finish(removed);
  // The disk of the host was full, perhaps: now there is room.
  table_.Unrecord(slot_, [self = weak_.Get()](const Status& again) {
    if (self) self->Finish(again);
  });
}

void Halt::Finish(const Status& status) {
  if (removes() && !removing_) return Unrecord();  // hastened at the last moment
  auto on_done = std::move(on_done_);
  auto joined = std::move(joined_);
  on_done(status);
  for (Done& done : joined) done(status);
}

}  // namespace capsem::service
