#include "guest/guest_link.h"

#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"
#include "testing/fake_guest.h"

namespace capsem::process {
namespace {

struct Ends {
  Ends()
      : link(loop, {
                       .on_up = [this] { ++ups; },
                       .on_control = [this](const auto&) { ++controls; },
                       .on_readable = [](wire::ChannelId) {},
                       .on_writable = [](wire::ChannelId) {},
                       .on_reset = [](wire::ChannelId) {},
                       .on_broken = [this](Status status) { broken = std::move(status); },
                   }) {}
  TestLoop loop;
  FakeGuest guest{loop};
  int ups = 0, controls = 0;
  Status broken;
  GuestLink link;
};

TEST_CASE("a connection that is no guest gets nothing and displaces nobody") {
  Ends ends;
  auto [host, stranger] = VALUE_OF(SocketPair());
  ends.link.Adopt(std::move(host));
  std::string said;
  bool over = false;
  ByteStream stream(ends.loop, std::move(stranger),
                    {.on_bytes = [&](std::string_view bytes) { said += bytes; },
                     .on_end = [&](Status) { over = true; }});
  stream.Write(std::string(64, 'x'));
  REQUIRE(ends.loop.RunUntil([&] { return over; }));
  REQUIRE(said.find("secret") == std::string::npos);
  ends.link.Adopt(ends.guest.Dial());
  REQUIRE(ends.loop.RunUntil([&] { return ends.link.up() && ends.guest.up(); }));
}

TEST_CASE("a live connection is never displaced, not even by one that knows the secret") {
  Ends ends;
  ends.link.Adopt(ends.guest.Dial());
  REQUIRE(ends.loop.RunUntil([&] { return ends.link.up() && ends.guest.up(); }));
  FakeGuest second(ends.loop);
  second.identity = ends.guest.identity;
  ends.link.Adopt(second.Dial());
  REQUIRE(ends.loop.RunUntil([&] { return second.hung_up; }));
  REQUIRE(ends.link.up());
  REQUIRE_FALSE(ends.guest.hung_up);
}

TEST_CASE("at most four unproven connections wait") {
  Ends ends;
  std::vector<UniqueFd> waiting;
  for (size_t i = 0; i < wire::kMaxUnproven; ++i) {
    auto [host, guest] = VALUE_OF(SocketPair());
    ends.link.Adopt(std::move(host));
    waiting.push_back(std::move(guest));
  }
  ends.link.Adopt(ends.guest.Dial());
  REQUIRE(ends.loop.RunUntil([&] { return ends.guest.hung_up; }));
  waiting.clear();
  ends.loop.RunReady();
  ends.guest.hung_up = false;
  ends.link.Adopt(ends.guest.Dial());
  REQUIRE(ends.loop.RunUntil([&] { return ends.link.up(); }));
}

TEST_CASE("a peer that does not know the secret cannot take an established link over") {
  Ends ends;
  ends.link.Adopt(ends.guest.Dial());
  REQUIRE(ends.loop.RunUntil([&] { return ends.link.up() && ends.guest.up(); }));
  ends.guest.HangUp();
  REQUIRE(ends.loop.RunUntil([&] { return !ends.link.up(); }));
  // A handshake of one's own, without the secret: the host proves itself, then waits for a proof
  // that cannot be made.
  capsem::guest::v1::GuestHello hello;
  hello.set_role("agent");
  hello.set_protocol_min(wire::kProtocolMin);
  hello.set_protocol_max(wire::kProtocolMax);
  hello.set_nonce(std::string(wire::kNonceBytes, 'n'));
  hello.set_link_id(ends.guest.identity.link_id);
  auto [host, thief] = VALUE_OF(SocketPair());
  ends.link.Adopt(std::move(host));
  std::string said;
  bool over = false;
  ByteStream stream(ends.loop, std::move(thief),
                    {.on_bytes = [&](std::string_view bytes) { said += bytes; },
                     .on_end = [&](Status) { over = true; }});
  stream.Write(wire::EncodeFrame(wire::FrameKind::kMessage, hello.SerializeAsString()));
  capsem::guest::v1::GuestProof proof;
  proof.set_proof(std::string(32, 'p'));
  stream.Write(wire::EncodeFrame(wire::FrameKind::kMessage, proof.SerializeAsString()));
  REQUIRE(ends.loop.RunUntil([&] { return over; }));
  REQUIRE(said.find(ends.guest.identity.secret) == std::string::npos);
  REQUIRE_FALSE(ends.link.up());
  ends.link.Adopt(ends.guest.Dial());
  REQUIRE(ends.loop.RunUntil([&] { return ends.link.up(); }));
}

TEST_CASE("a proven guest that breaks the rules ends the link for good") {
  const bool control = GENERATE(true, false);
  Ends ends;
  ends.link.Adopt(ends.guest.Dial());
  REQUIRE(ends.loop.RunUntil([&] { return ends.link.up() && ends.guest.up(); }));
  if (control) {
    ends.guest.mux().Write(wire::kControlChannel, std::string("\xff\xff\xff\x7f\x00", 5));
  } else {
    ends.guest.WriteRaw(std::string(64, '\xee'));
  }
  REQUIRE(ends.loop.RunUntil([&] { return !ends.broken.ok(); }));
  REQUIRE_FALSE(ends.link.up());
  FakeGuest second(ends.loop);
  ends.link.Adopt(second.Dial());
  REQUIRE(ends.loop.RunUntil([&] { return second.hung_up; }));
}

TEST_CASE("control frames sent while the link is down arrive later, in order") {
  Ends ends;
  for (int i = 1; i <= 3; ++i) {
    capsem::guest::v1::HostFrame frame;
    frame.mutable_quiesce()->set_token(static_cast<uint64_t>(i));
    ends.link.SendControl(frame);
  }
  ends.link.Adopt(ends.guest.Dial());
  REQUIRE(ends.loop.RunUntil([&] { return ends.guest.control.size() == 3; }));
  for (size_t i = 0; i < 3; ++i) REQUIRE(ends.guest.control[i].quiesce().token() == i + 1);
}

}  // namespace
}  // namespace capsem::process
