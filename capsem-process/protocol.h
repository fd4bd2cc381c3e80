// Which versions of process.v1 this program speaks, besides the oldest (wire/limits.h): as this
// build does, or none, in the fixture that tests have adopted by the service of today.
#pragma once

#include <cstdint>

namespace capsem::process {

uint32_t NewestProtocol();
// False: Attach, ListExecs and File are unknown calls, as they were to the first one.
bool KnowsLaterCalls();

}  // namespace capsem::process
