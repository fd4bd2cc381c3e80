#include "wire/hello.h"

#include <algorithm>
#include <utility>

#include "base/planted.h"
#include "wire/frame.h"
#include "wire/limits.h"
#include "wire/proof.h"

namespace capsem::wire {

using capsem::guest::v1::GuestHello;
using capsem::guest::v1::GuestProof;
using capsem::guest::v1::HostHello;
using capsem::guest::v1::HostReady;
using capsem::guest::v1::MuxResume;

namespace {

constexpr char kRole[] = "agent";
constexpr size_t kMaxBuild = 128;
constexpr size_t kMaxReason = 1024;  // of a refusal that the host sends
constexpr std::string_view kHostLabel = "capsem host";
constexpr std::string_view kGuestLabel = "capsem guest";

template <typename Message>
std::string Encode(const Message& message) {
  return EncodeFrame(FrameKind::kMessage, message.SerializeAsString());
}

// The message at the front of `input`, which is taken off; nullopt when it is not whole yet.
template <typename Message>
StatusOr<std::optional<Message>> TakeMessage(std::string& input) {
  const auto frame = TRY(ParseFrame(input, kMaxHandshake));
  if (!frame) {
    if (PLANTED(3)) input.clear();  // Planted 3: messages come whole.
    return std::nullopt;
  }
  Message message;
  const auto size = static_cast<int>(frame->payload.size());
  if (frame->kind != FrameKind::kMessage || !message.ParseFromArray(frame->payload.data(), size)) {
    return InvalidArgument("the peer's handshake cannot be read");
  }
  input.erase(0, frame->size);
  return message;
}

}  // namespace

LinkIdentity LinkIdentity::Generate() {
  LinkIdentity identity;
  identity.secret = RandomBytes(kSecretBytes);
  for (const char byte : RandomBytes(sizeof identity.link_id)) {
    identity.link_id = identity.link_id << 8 | static_cast<uint8_t>(byte);
  }
  identity.link_id |= 1;  // 0 says "never linked"
  return identity;
}

// ---- the host ----

HostHandshake::HostHandshake(LinkIdentity identity, bool established, MuxResume resume)
    : identity_(std::move(identity)),
      established_(established),
      resume_(std::move(resume)),
      nonce_(RandomBytes(kNonceBytes)) {
  ENSURE(identity_.link_id != 0 && identity_.secret.size() == kSecretBytes);
}

Status HostHandshake::OnBytes(std::string_view bytes) {
  if (step_ == Step::kFailed) return FailedPrecondition("the handshake has failed already");
  input_.append(bytes);
  Status status;
  if (step_ == Step::kAwaitHello) {
    const auto hello = TakeMessage<GuestHello>(input_);
    status = !hello.ok() ? hello.status() : *hello ? OnHello(**hello) : OkStatus();
  }
  if (status.ok() && step_ == Step::kAwaitProof) {
    const auto proof = TakeMessage<GuestProof>(input_);
    status = !proof.ok() ? proof.status() : *proof ? OnProof(**proof) : OkStatus();
  }
  if (!status.ok()) step_ = Step::kFailed;
  return status;
}

Status HostHandshake::OnHello(const GuestHello& hello) {
  if (hello.role() != kRole || hello.nonce().size() != kNonceBytes) {
    return Refuse(InvalidArgument("a hello that no agent would say"));
  }
  const uint32_t highest = std::min(hello.protocol_max(), kProtocolMax);
  if (highest < std::max(hello.protocol_min(), kProtocolMin)) {
    return Refuse(
        FailedPrecondition("the host speaks the versions {} to {} of the link, the agent {} to {}",
                           kProtocolMin, kProtocolMax, hello.protocol_min(), hello.protocol_max()));
  }
  first_ = hello.link_id() == 0;
  // Planted 1: whoever says that it is new is told the secret again.
  if (first_ ? established_ && !PLANTED(1) : hello.link_id() != identity_.link_id) {
    return Refuse(Unauthenticated("a hello for another link"));
  }
  peer_nonce_ = hello.nonce();
  result_.protocol = highest;
  result_.peer_build = hello.build().substr(0, kMaxBuild);
  HostHello answer;
  answer.set_protocol(highest);
  answer.set_nonce(nonce_);
  answer.set_link_id(identity_.link_id);
  if (first_) {
    answer.set_secret(identity_.secret);
  } else {
    answer.set_proof(MakeProof(identity_.secret, kHostLabel, {peer_nonce_, nonce_}));
    *answer.mutable_resume() = resume_;
  }
  output_ += Encode(answer);
  step_ = Step::kAwaitProof;
  return OkStatus();
}

Status HostHandshake::OnProof(const GuestProof& proof) {
  const std::string expected = MakeProof(identity_.secret, kGuestLabel, {nonce_, peer_nonce_});
  if (!SameProof(proof.proof(), expected)) {
    return Refuse(Unauthenticated("the peer does not know the secret of the link"));
  }
  if (proof.has_resume() == first_) {
    return Refuse(InvalidArgument("a proof {} a resume", first_ ? "with" : "without"));
  }
  if (!first_) result_.peer_resume = proof.resume();
  output_ += Encode(HostReady());
  step_ = Step::kDone;
  return OkStatus();
}

Status HostHandshake::Refuse(Status reason) {
  // Where HostReady is awaited, a refusal cannot be told: the end of the connection says it.
  if (step_ == Step::kAwaitHello) {
    HostHello refusal;
    refusal.set_error(std::string(Message(reason)));
    output_ += Encode(refusal);
  }
  return reason;
}

std::string HostHandshake::TakeOutput() { return std::exchange(output_, {}); }
std::string HostHandshake::TakeRest() { return done() ? std::exchange(input_, {}) : std::string(); }

// ---- the guest ----

GuestHandshake::GuestHandshake(LinkIdentity identity, MuxResume resume, std::string build)
    : identity_(std::move(identity)),
      resume_(std::move(resume)),
      first_(identity_.secret.empty()),
      nonce_(RandomBytes(kNonceBytes)) {
  GuestHello hello;
  hello.set_role(kRole);
  hello.set_protocol_min(kProtocolMin);
  hello.set_protocol_max(kProtocolMax);
  hello.set_build(std::move(build));
  hello.set_nonce(nonce_);
  hello.set_link_id(first_ ? 0 : identity_.link_id);
  output_ = Encode(hello);
}

Status GuestHandshake::OnBytes(std::string_view bytes) {
  if (step_ == Step::kFailed) return FailedPrecondition("the handshake has failed already");
  input_.append(bytes);
  Status status;
  if (step_ == Step::kAwaitHello) {
    const auto hello = TakeMessage<HostHello>(input_);
    status = !hello.ok() ? hello.status() : *hello ? OnHello(**hello) : OkStatus();
  }
  if (status.ok() && step_ == Step::kAwaitReady) {
    const auto ready = TakeMessage<HostReady>(input_);
    status = ready.status();
    if (ready.ok() && *ready) step_ = Step::kDone;
  }
  if (!status.ok()) step_ = Step::kFailed;
  return status;
}

Status GuestHandshake::OnHello(const HostHello& hello) {
  TRY(Agree(hello));
  if (first_) identity_ = {hello.link_id(), hello.secret()};
  result_.protocol = hello.protocol();
  GuestProof proof;
  proof.set_proof(MakeProof(identity_.secret, kGuestLabel, {hello.nonce(), nonce_}));
  if (!first_) {
    *proof.mutable_resume() = resume_;
    result_.peer_resume = hello.resume();
  }
  output_ += Encode(proof);
  step_ = Step::kAwaitReady;
  return OkStatus();
}

// Whether the host may be believed, and what it says makes sense.
Status GuestHandshake::Agree(const HostHello& hello) {
  if (hello.protocol() == 0) {
    return FailedPrecondition("the host refuses: {}", hello.error().substr(0, kMaxReason));
  }
  if (hello.protocol() < kProtocolMin || hello.protocol() > kProtocolMax) {
    return FailedPrecondition("the host chose version {} of the link, the agent speaks {} to {}",
                              hello.protocol(), kProtocolMin, kProtocolMax);
  }
  if (hello.nonce().size() != kNonceBytes || hello.link_id() == 0 || hello.has_resume() == first_ ||
      hello.secret().size() != (first_ ? kSecretBytes : 0)) {
    return InvalidArgument("a hello that no host would say");
  }
  if (first_) return OkStatus();
  const std::string expected = MakeProof(identity_.secret, kHostLabel, {nonce_, hello.nonce()});
  // Planted 2: a host that knows the link is the host.
  if (hello.link_id() != identity_.link_id ||
      (!SameProof(hello.proof(), expected) && !PLANTED(2))) {
    return Unauthenticated("the host does not know the secret of the link");
  }
  return OkStatus();
}

std::string GuestHandshake::TakeOutput() { return std::exchange(output_, {}); }
std::string GuestHandshake::TakeRest() {
  return done() ? std::exchange(input_, {}) : std::string();
}

}  // namespace capsem::wire
