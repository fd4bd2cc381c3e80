// What systemd is told by a service of Type=notify: one datagram to the socket that NOTIFY_SOCKET
// names (sd_notify(3)). Nothing happens where nobody listens.
#pragma once

#include <string_view>

namespace capsem::service {

// "READY=1", "STOPPING=1".
void TellSystemd(std::string_view state);

}  // namespace capsem::service
