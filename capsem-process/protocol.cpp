#include "protocol.h"

#include "wire/limits.h"

namespace capsem::process {

#ifdef CAPSEM_OLDEST_PROTOCOL
uint32_t NewestProtocol() { return wire::kProcessProtocolMin; }
bool KnowsLaterCalls() { return false; }
#else
uint32_t NewestProtocol() { return wire::kProcessProtocolMax; }
bool KnowsLaterCalls() { return true; }
#endif

}  // namespace capsem::process
