// What our programs exit with: both tables, in one place.
//
// exec and run give the guest command's own code (128 + signal), 124 when --timeout ended it, 126
// and 127 as shells do, and 125 for any failure of ours, so that the two are never confused. All
// other verbs say by the code who must act.
#pragma once

#include "base/status.h"

namespace capsem {

inline constexpr int kExitOk = 0;
inline constexpr int kExitUsage = 2;          // InvalidArgument, OutOfRange: can never work
inline constexpr int kExitNames = 3;          // NotFound, AlreadyExists
inline constexpr int kExitState = 4;          // FailedPrecondition: stop it first, start it first
inline constexpr int kExitLimit = 5;          // ResourceExhausted
inline constexpr int kExitAway = 6;           // Unavailable: try again
inline constexpr int kExitTime = 7;           // DeadlineExceeded, Cancelled
inline constexpr int kExitDoor = 8;           // PermissionDenied, Unauthenticated
inline constexpr int kExitOurs = 125;         // Internal, DataLoss, Unimplemented, …
inline constexpr int kExitInterrupted = 130;  // Ctrl-C before there was a command to tell

// Of every verb but exec and run, which exit with kExitOurs for any error.
int ExitCode(const Status& status);

}  // namespace capsem
