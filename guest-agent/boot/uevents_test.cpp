#include "boot/uevents.h"

#include "base/testing/status_matchers.h"

namespace capsem::agent {

TEST_CASE("a device event is read field by field") {
  using namespace std::string_view_literals;
  struct Case {
    std::string_view datagram;
    Uevent expected;
  };
  const Case cases[] = {
      {"bind@/devices/pci/virtio2\0ACTION=bind\0SUBSYSTEM=virtio\0DRIVER=vsock\0SEQNUM=7\0"sv,
       {"bind", "virtio", "vsock"}},
      {"add@/block/vda\0ACTION=add\0SUBSYSTEM=block"sv, {"add", "block", ""}},
      {"ACTION=\0\0\0"sv, {"", "", ""}},
      {""sv, {"", "", ""}},
      {"XACTION=add\0"sv, {"", "", ""}},
  };
  for (const Case& c : cases) {
    const Uevent event = ParseUevent(c.datagram);
    REQUIRE(event.action == c.expected.action);
    REQUIRE(event.subsystem == c.expected.subsystem);
    REQUIRE(event.driver == c.expected.driver);
  }
}

TEST_CASE("with no news there is nothing to take and waiting ends") {
  Uevents events = VALUE_OF(Uevents::Open());
  while (events.Next().ok()) {
  }
  REQUIRE_CODE(events.Next(), kNotFound);
}

}  // namespace capsem::agent
