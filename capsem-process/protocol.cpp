#include "protocol.h"

#include "wire/limits.h"

namespace capsem::process {

uint32_t NewestProtocol() {
#ifdef CAPSEM_OLDEST_PROTOCOL
  return wire::kProcessProtocolMin;
#else
  return wire::kProcessProtocolMax;
#endif
}

}  // namespace capsem::process
