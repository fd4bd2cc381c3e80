#include "guest/guest_session.h"

#include "testing/guest_line.h"

namespace capsem::process {

TEST_CASE("the guest is configured once, whatever becomes of its first connection") {
  Line line;
  line.Connect();
  REQUIRE(line.loop.RunUntil([&] { return line.configured; }));
  REQUIRE(line.guest.control.size() == 1);
  const auto& configure = line.guest.control[0].configure();
  REQUIRE(configure.session_id() == "abcdefghijkl");
  REQUIRE(configure.hostname() == "box");
  REQUIRE(configure.env().at("COLOR") == "blue");
  REQUIRE(configure.env().at("CAPSEM_VM_ID") == "abcdefghijkl");
  REQUIRE(configure.env().at("CAPSEM_VM_NAME") == "box");
  REQUIRE(configure.entropy().size() == 32);
  line.guest.HangUp();
  REQUIRE(line.loop.RunUntil([&] { return !line.session->link_up(); }));
  line.Connect();
  line.loop.RunReady();
  REQUIRE(line.guest.control.size() == 1);
}

}  // namespace capsem::process
