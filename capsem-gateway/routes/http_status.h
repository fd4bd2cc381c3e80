// Our errors as HTTP says them: the number, and {"error", "remedy"}. Pure.
#pragma once

#include "base/status.h"
#include "http/http_response.h"

namespace capsem::gateway {

HttpResponse ResponseOf(const Status& status);

}  // namespace capsem::gateway
