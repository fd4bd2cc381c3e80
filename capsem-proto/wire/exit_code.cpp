#include "wire/exit_code.h"

namespace capsem {

int ExitCode(const Status& status) {
  switch (status.code()) {
    case StatusCode::kOk: return kExitOk;
    case StatusCode::kInvalidArgument:
    case StatusCode::kOutOfRange: return kExitUsage;
    case StatusCode::kNotFound:
    case StatusCode::kAlreadyExists: return kExitNames;
    case StatusCode::kFailedPrecondition: return kExitState;
    case StatusCode::kResourceExhausted: return kExitLimit;
    case StatusCode::kUnavailable: return kExitAway;
    case StatusCode::kDeadlineExceeded:
    case StatusCode::kCancelled: return kExitTime;
    case StatusCode::kPermissionDenied:
    case StatusCode::kUnauthenticated: return kExitDoor;
    default: return kExitOurs;
  }
}

}  // namespace capsem
