#include "wire/hello.h"

#include "base/testing/status_matchers.h"
#include "wire/frame.h"
#include "wire/limits.h"

namespace capsem::wire {
namespace {

using capsem::guest::v1::GuestHello;
using capsem::guest::v1::GuestProof;
using capsem::guest::v1::HostHello;
using capsem::guest::v1::MuxResume;

MuxResume ResumeWith(uint32_t highest) {
  MuxResume resume;
  resume.set_highest_own(highest);
  return resume;
}

// Moves what both say, `step` bytes at a time, until nothing moves; the first error of each is
// kept.
struct Talk {
  HostHandshake host;
  GuestHandshake guest;
  Status host_heard = {};
  Status guest_heard = {};

  void Run(size_t step = SIZE_MAX) {
    for (bool moved = true; moved;) {
      const std::string to_host = guest.TakeOutput();
      Feed(host, host_heard, to_host, step);
      const std::string to_guest = host.TakeOutput();
      Feed(guest, guest_heard, to_guest, step);
      moved = !to_host.empty() || !to_guest.empty();
    }
  }
  template <typename End>
  static void Feed(End& end, Status& heard, std::string_view bytes, size_t step) {
    while (!bytes.empty() && heard.ok()) {
      heard = end.OnBytes(bytes.substr(0, step));
      bytes.remove_prefix(std::min(step, bytes.size()));
    }
  }
};

const LinkIdentity& Known() {
  static const LinkIdentity identity = LinkIdentity::Generate();
  return identity;
}
Talk FirstTalk() { return {{Known(), false, ResumeWith(1)}, {{}, ResumeWith(2), "build 7"}}; }
Talk LaterTalk() { return {{Known(), true, ResumeWith(1)}, {Known(), ResumeWith(2), "build 7"}}; }

// One whole frame's message.
template <typename Message>
Message Read(const std::string& bytes) {
  const auto frame = VALUE_OF(ParseFrame(bytes, kMaxHandshake));
  Message message;
  REQUIRE(frame);
  REQUIRE(message.ParseFromString(std::string(frame->payload)));
  return message;
}
template <typename Message>
std::string Bytes(const Message& message) {
  return EncodeFrame(FrameKind::kMessage, message.SerializeAsString());
}

TEST_CASE("the first hello hands over the secret, also byte by byte") {
  const size_t step = GENERATE(size_t{1}, size_t{7}, SIZE_MAX);
  Talk talk = FirstTalk();
  talk.Run(step);
  REQUIRE_OK(talk.host_heard);
  REQUIRE_OK(talk.guest_heard);
  REQUIRE(talk.host.done());
  REQUIRE(talk.guest.done());
  REQUIRE(talk.guest.identity().link_id == Known().link_id);
  REQUIRE(talk.guest.identity().secret == Known().secret);
  REQUIRE(talk.host.result().protocol == kProtocolMax);
  REQUIRE(talk.guest.result().protocol == kProtocolMax);
  REQUIRE(talk.host.result().peer_build == "build 7");
  REQUIRE_FALSE(talk.host.result().peer_resume);
  REQUIRE_FALSE(talk.guest.result().peer_resume);
}

TEST_CASE("a later hello proves the secret on both sides and carries both resumes") {
  const bool established = GENERATE(true, false);
  const size_t step = GENERATE(size_t{1}, SIZE_MAX);
  Talk talk{{Known(), established, ResumeWith(1)}, {Known(), ResumeWith(2), ""}};
  talk.Run(step);
  REQUIRE(talk.host.done());
  REQUIRE(talk.guest.done());
  REQUIRE(talk.host.result().peer_resume->highest_own() == 2);
  REQUIRE(talk.guest.result().peer_resume->highest_own() == 1);
}

TEST_CASE("the secret is said in the first hello and in no other") {
  const auto hello_of = [](Talk talk) {
    REQUIRE_OK(talk.host.OnBytes(talk.guest.TakeOutput()));
    return talk.host.TakeOutput();
  };
  REQUIRE(hello_of(FirstTalk()).find(Known().secret) != std::string::npos);
  REQUIRE(hello_of(LaterTalk()).find(Known().secret) == std::string::npos);
}

TEST_CASE("nonces and identities are new each time") {
  Talk one = FirstTalk();
  Talk two = FirstTalk();
  REQUIRE(one.guest.TakeOutput() != two.guest.TakeOutput());
  const LinkIdentity identity = LinkIdentity::Generate();
  REQUIRE(identity.link_id != 0);
  REQUIRE(identity.secret.size() == kSecretBytes);
  REQUIRE(identity.secret != Known().secret);
}

TEST_CASE("the multiplexer's bytes behind the handshake are kept apart") {
  Talk talk = LaterTalk();
  REQUIRE_OK(talk.host.OnBytes(talk.guest.TakeOutput()));
  REQUIRE_OK(talk.guest.OnBytes(talk.host.TakeOutput()));
  REQUIRE_OK(talk.host.OnBytes(talk.guest.TakeOutput() + "guest's frames"));
  REQUIRE_OK(talk.guest.OnBytes(talk.host.TakeOutput() + "host's frames"));
  REQUIRE(talk.host.TakeRest() == "guest's frames");
  REQUIRE(talk.guest.TakeRest() == "host's frames");
}

TEST_CASE("the host refuses, says why, and stays so") {
  struct Case {
    const char* what;
    std::function<void(GuestHello&)> spoil;
    StatusCode code;
    std::string told;
  };
  const auto c = GENERATE(
      Case{"a second first hello", [](GuestHello& hello) { hello.set_link_id(0); },
           StatusCode::kUnauthenticated, "another link"},
      Case{"another link", [](GuestHello& hello) { hello.set_link_id(Known().link_id ^ 2); },
           StatusCode::kUnauthenticated, "another link"},
      Case{"versions of the future",
           [](GuestHello& hello) {
             hello.set_protocol_min(kProtocolMax + 1);
             hello.set_protocol_max(kProtocolMax + 4);
           },
           StatusCode::kFailedPrecondition,
           fmt::format("1 to {} of the link, the agent {} to {}", kProtocolMax, kProtocolMax + 1,
                       kProtocolMax + 4)},
      Case{"versions before the first", [](GuestHello& hello) { hello.set_protocol_max(0); },
           StatusCode::kFailedPrecondition, "the host speaks the versions"},
      Case{"a range that is none", [](GuestHello& hello) { hello.set_protocol_min(7); },
           StatusCode::kFailedPrecondition, fmt::format("the agent 7 to {}", kProtocolMax)},
      Case{"a short nonce", [](GuestHello& hello) { hello.set_nonce("short"); },
           StatusCode::kInvalidArgument, "no agent"},
      Case{"another role", [](GuestHello& hello) { hello.set_role("tray"); },
           StatusCode::kInvalidArgument, "no agent"});
  INFO(c.what);
  Talk talk = LaterTalk();
  auto hello = Read<GuestHello>(talk.guest.TakeOutput());
  c.spoil(hello);
  const Status heard = talk.host.OnBytes(Bytes(hello));
  REQUIRE(heard.code() == c.code);
  const std::string said = talk.host.TakeOutput();
  REQUIRE(Read<HostHello>(said).protocol() == 0);
  REQUIRE(said.find(Known().secret) == std::string::npos);
  const Status told = talk.guest.OnBytes(said);
  REQUIRE_CODE(told, kFailedPrecondition);
  REQUIRE(Message(told).find(c.told) != std::string::npos);
  REQUIRE_FALSE(talk.host.OnBytes("x").ok());
  REQUIRE_FALSE(talk.guest.OnBytes("x").ok());
  REQUIRE_FALSE(talk.host.done());
}

TEST_CASE("a guest that knows the link's id but not its secret gets nowhere") {
  LinkIdentity wrong = Known();
  wrong.secret[5] = static_cast<char>(wrong.secret[5] ^ 1);
  Talk talk{{Known(), true, {}}, {wrong, {}, ""}};
  talk.Run();
  // The guest sees first that the host's proof is not of its secret.
  REQUIRE_CODE(talk.guest_heard, kUnauthenticated);
  REQUIRE_FALSE(talk.host.done());
}

TEST_CASE("a proof that is not right is refused without a word") {
  struct Case {
    const char* what;
    std::function<void(GuestProof&)> spoil;
  };
  const auto c =
      GENERATE(Case{"one bit", [](GuestProof& proof) { (*proof.mutable_proof())[0] ^= 1; }},
               Case{"none", [](GuestProof& proof) { proof.clear_proof(); }},
               Case{"half", [](GuestProof& proof) { proof.mutable_proof()->resize(16); }},
               Case{"longer", [](GuestProof& proof) { proof.mutable_proof()->append("x"); }});
  INFO(c.what);
  const bool first = GENERATE(true, false);
  Talk talk = first ? FirstTalk() : LaterTalk();
  REQUIRE_OK(talk.host.OnBytes(talk.guest.TakeOutput()));
  REQUIRE_OK(talk.guest.OnBytes(talk.host.TakeOutput()));
  auto proof = Read<GuestProof>(talk.guest.TakeOutput());
  c.spoil(proof);
  REQUIRE_CODE(talk.host.OnBytes(Bytes(proof)), kUnauthenticated);
  REQUIRE(talk.host.TakeOutput().empty());
  REQUIRE_FALSE(talk.host.done());
}

TEST_CASE("what one handshake said is worth nothing in the next") {
  Talk recorded = LaterTalk();
  const std::string hello = recorded.guest.TakeOutput();
  REQUIRE_OK(recorded.host.OnBytes(hello));
  const std::string answer = recorded.host.TakeOutput();
  REQUIRE_OK(recorded.guest.OnBytes(answer));
  const std::string proof = recorded.guest.TakeOutput();
  SECTION("to the host") {
    Talk talk = LaterTalk();
    REQUIRE_OK(talk.host.OnBytes(hello));
    REQUIRE_CODE(talk.host.OnBytes(proof), kUnauthenticated);
  }
  SECTION("to the guest") {
    Talk talk = LaterTalk();
    talk.guest.TakeOutput();
    REQUIRE_CODE(talk.guest.OnBytes(answer), kUnauthenticated);
  }
  SECTION("a host's proof sent back to it as a guest's") {
    Talk talk = LaterTalk();
    REQUIRE_OK(talk.host.OnBytes(talk.guest.TakeOutput()));
    const auto said = Read<HostHello>(talk.host.TakeOutput());
    GuestProof reflected;
    reflected.set_proof(said.proof());
    *reflected.mutable_resume() = MuxResume();
    REQUIRE_CODE(talk.host.OnBytes(Bytes(reflected)), kUnauthenticated);
  }
}

TEST_CASE("a guest that has a secret takes no other") {
  struct Case {
    const char* what;
    std::function<void(HostHello&)> spoil;
  };
  const auto c = GENERATE(
      Case{"a new secret", [](HostHello& hello) { hello.set_secret(std::string(32, 'n')); }},
      Case{"no proof", [](HostHello& hello) { hello.clear_proof(); }},
      Case{"another link", [](HostHello& hello) { hello.set_link_id(77); }},
      Case{"a new secret instead of a proof", [](HostHello& hello) {
             hello.set_secret(std::string(32, 'n'));
             hello.clear_proof();
             hello.clear_resume();
           }});
  INFO(c.what);
  Talk talk = LaterTalk();
  REQUIRE_OK(talk.host.OnBytes(talk.guest.TakeOutput()));
  auto hello = Read<HostHello>(talk.host.TakeOutput());
  c.spoil(hello);
  REQUIRE_FALSE(talk.guest.OnBytes(Bytes(hello)).ok());
  REQUIRE(talk.guest.identity().secret == Known().secret);
  REQUIRE(talk.guest.identity().link_id == Known().link_id);
  REQUIRE(talk.guest.TakeOutput().empty());
}

TEST_CASE("a guest without a secret takes only a whole one") {
  const std::string secret = GENERATE(std::string(), std::string(31, 's'), std::string(33, 's'));
  Talk talk = FirstTalk();
  REQUIRE_OK(talk.host.OnBytes(talk.guest.TakeOutput()));
  auto hello = Read<HostHello>(talk.host.TakeOutput());
  hello.set_secret(secret);
  REQUIRE_CODE(talk.guest.OnBytes(Bytes(hello)), kInvalidArgument);
  REQUIRE(talk.guest.identity().secret.empty());
}

TEST_CASE("a connection lost at any message leaves both able to go on") {
  const int lost = GENERATE(1, 2, 3, 4);  // the message that does not arrive
  INFO("message " << lost);
  Talk first = FirstTalk();
  std::string bytes = first.guest.TakeOutput();
  for (int message = 1; message < lost; ++message) {
    const bool to_host = message % 2 == 1;
    REQUIRE_OK(to_host ? first.host.OnBytes(bytes) : first.guest.OnBytes(bytes));
    bytes = to_host ? first.host.TakeOutput() : first.guest.TakeOutput();
  }
  Talk next{{Known(), first.host.done(), ResumeWith(1)},
            {first.guest.identity(), ResumeWith(2), ""}};
  next.Run();
  REQUIRE(next.host.done());
  REQUIRE(next.guest.done());
  // The first two were lost before the guest had the secret.
  REQUIRE(next.host.result().peer_resume.has_value() == (lost > 2));
  REQUIRE(next.guest.result().peer_resume.has_value() == (lost > 2));
}

TEST_CASE("what is no handshake ends it") {
  const std::string bytes = GENERATE(
      std::string("GET / HTTP/1.1\r\n"), std::string("\x01\x00\x01\x00\x00", 5),
      EncodeFrame(FrameKind::kExecStdin, "x"), EncodeFrame(FrameKind::kMessage, "\xff\xff\xff"));
  Talk talk = LaterTalk();
  REQUIRE_CODE(talk.host.OnBytes(bytes), kInvalidArgument);
  REQUIRE_CODE(talk.guest.OnBytes(bytes), kInvalidArgument);
}

TEST_CASE("a later proof without a resume, and a first one with, are refused") {
  const bool first = GENERATE(true, false);
  Talk talk = first ? FirstTalk() : LaterTalk();
  REQUIRE_OK(talk.host.OnBytes(talk.guest.TakeOutput()));
  REQUIRE_OK(talk.guest.OnBytes(talk.host.TakeOutput()));
  auto proof = Read<GuestProof>(talk.guest.TakeOutput());
  if (first)
    *proof.mutable_resume() = MuxResume();
  else
    proof.clear_resume();
  REQUIRE_CODE(talk.host.OnBytes(Bytes(proof)), kInvalidArgument);
}

TEST_CASE("a build's name is kept only as far as a log line goes") {
  Talk talk{{Known(), false, {}}, {{}, {}, std::string(5000, 'b')}};
  talk.Run();
  REQUIRE(talk.host.result().peer_build == std::string(128, 'b'));
}

}  // namespace
}  // namespace capsem::wire
