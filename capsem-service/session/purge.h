// Deletes many sessions at once: the ephemeral ones, or all.
#pragma once

#include <absl/functional/any_invocable.h>

#include "base/status.h"
#include "capsem/v1/sessions.pb.h"
#include "session/sessions.h"

namespace capsem::service {

// `done` comes when nothing of them is left, once, after this has returned. Its error is the first
// of those that could not be removed; the others are gone all the same.
void Purge(Loop& loop, SessionTable& table, Sessions& sessions, bool all,
           absl::AnyInvocable<void(StatusOr<capsem::v1::PurgeSessionsResponse>)> done);

}  // namespace capsem::service
