#include "session/purge.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace capsem::service {
namespace {

using capsem::v1::PurgeSessionsResponse;

// Lives for as long as a delete holds it.
struct Purging {
  PurgeSessionsResponse response;
  Status first_failure;
  absl::AnyInvocable<void(StatusOr<PurgeSessionsResponse>)> done;

  ~Purging() {
    using Answer = StatusOr<PurgeSessionsResponse>;
    done(first_failure.ok() ? Answer(std::move(response)) : Answer(first_failure));
  }
};

void Count(PurgeSessionsResponse& response, SessionKind kind) {
  switch (kind) {
    case SessionKind::kEphemeral: return response.set_ephemeral(response.ephemeral() + 1);
    case SessionKind::kPersistent: return response.set_persistent(response.persistent() + 1);
    case SessionKind::kBound: return response.set_bound(response.bound() + 1);
  }
}

}  // namespace

void Purge(Loop& loop, SessionTable& table, Sessions& sessions, bool all,
           absl::AnyInvocable<void(StatusOr<PurgeSessionsResponse>)> done) {
  const auto purging = std::make_shared<Purging>();
  purging->done = std::move(done);
  for (const SessionSlot* slot : table.All()) {
    const SessionKind kind = slot->session.kind();
    if (!all && kind != SessionKind::kEphemeral) continue;
    const std::string id = slot->session.id().text();
    sessions.Delete(id, [purging, id, kind](const Status& deleted) {
      if (!deleted.ok()) {
        if (purging->first_failure.ok()) purging->first_failure = deleted;
        return;
      }
      purging->response.add_sessions(id);
      Count(purging->response, kind);
    });
  }
  // With nothing to delete this is the last that holds it.
  loop.Post([purging] {});
}

}  // namespace capsem::service
