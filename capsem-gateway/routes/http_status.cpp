#include "routes/http_status.h"

namespace capsem::gateway {
namespace {

int NumberOf(StatusCode code) {
  switch (code) {
    case StatusCode::kInvalidArgument:
    case StatusCode::kOutOfRange: return 400;
    // 401 would say that the token is wrong.
    case StatusCode::kUnauthenticated:
    case StatusCode::kPermissionDenied: return 403;
    case StatusCode::kNotFound: return 404;
    case StatusCode::kAlreadyExists:
    case StatusCode::kFailedPrecondition:
    case StatusCode::kAborted: return 409;
    case StatusCode::kResourceExhausted: return 429;
    case StatusCode::kUnimplemented: return 501;
    case StatusCode::kUnavailable:
    case StatusCode::kCancelled: return 503;
    case StatusCode::kDeadlineExceeded: return 504;
    default: return 500;
  }
}

}  // namespace

HttpResponse ResponseOf(const Status& status) {
  return ErrorResponse(NumberOf(status.code()), Message(status), Remedy(status));
}

}  // namespace capsem::gateway
