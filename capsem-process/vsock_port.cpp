#include "vsock_port.h"

#include <utility>

#include "base/byte_stream.h"
#include "base/log.h"
#include "wire/limits.h"
#include "wire/testing/bulk.h"

namespace capsem::process {

StatusOr<UniqueFd> VsockPort::MakeDevice() {
  auto [ours, qemus] = TRY(SocketPair());
  unplugging_ = false;
  device_ = TRY(VsockDevice::Create(
      loop_, std::move(ours),
      {
          .guest_cid = wire::kGuestCid,
          .accept = [this](uint32_t host_port,
                           uint32_t guest_port) { return Accept(host_port, guest_port); },
          .on_lost =
              [this](Status why) {
                if (!unplugging_) events_.on_lost(std::move(why));
              },
      }));
  return std::move(qemus);
}

bool VsockPort::IsBulk(uint32_t host_port) const {
  return events_.on_bulk && (host_port == wire::kBulkPlainPort || host_port == wire::kBulkLinkPort);
}

UniqueFd VsockPort::Accept(uint32_t host_port, uint32_t guest_port) {
  const bool is_link = host_port == wire::kLinkPort && guest_port < wire::kPrivilegedPorts;
  if (!is_link && !IsBulk(host_port)) {
    log::Warning("a vsock connection of the guest was refused",
                 {{"host_port", host_port}, {"guest_port", guest_port}});
    return {};
  }
  auto pair = SocketPair();
  if (!pair.ok()) {
    log::Error("no socket for the guest's connection", {{"why", Describe(pair.status())}});
    return {};
  }
  is_link ? events_.on_connection(std::move(pair->first))
          : events_.on_bulk(host_port, std::move(pair->first));
  return std::move(pair->second);
}

}  // namespace capsem::process
