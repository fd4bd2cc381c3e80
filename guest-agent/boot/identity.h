// Who this machine is, as its host says: before any command runs, and again whenever it wakes as
// somebody else. Entropy first: copies of one saved machine give out the same random bytes until
// then.
#pragma once

#include "base/loop.h"
#include "base/status.h"
#include "capsem/guest/v1/guest.pb.h"
#include "process/reaper.h"

namespace capsem::agent {

// InvalidArgument: a name, an id or entropy that cannot be applied. Pure.
Status CheckIdentity(const capsem::guest::v1::Configure& configure);
// `random` is /dev/random. The files of it (/etc/hostname, /etc/machine-id) are written by a
// worker.
void ApplyIdentity(Loop& loop, Reaper& reaper, int random,
                   const capsem::guest::v1::Configure& configure,
                   absl::AnyInvocable<void(Status)> done);

}  // namespace capsem::agent
