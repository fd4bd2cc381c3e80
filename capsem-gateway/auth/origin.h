// Which names a client may call us by, and which pages may have sent it: both by exact match, for a
// prefix also fits http://localhost.evil.example. Pure.
#pragma once

#include <cstdint>
#include <string_view>

namespace capsem::gateway {

// The value of Host: 127.0.0.1 or localhost with our port. A page that has made its own name lead
// to 127.0.0.1 (DNS rebinding) still sends that name here.
bool IsOurHost(std::string_view host, uint16_t port);
// The value of Origin: http or https on localhost, 127.0.0.1 or [::1], any port; tauri://localhost.
bool IsLocalOrigin(std::string_view origin);

}  // namespace capsem::gateway
