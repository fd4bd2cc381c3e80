#include "session/adoption.h"

#include <utility>

#include "base/log.h"
#include "wire/limits.h"
#include "wire/proof.h"

namespace capsem::service {

using capsem::process::v1::IntroduceResponse;

Status CheckIntroduction(const SessionRecord& record, std::string_view nonce,
                         const IntroduceResponse& said) {
  // The first: of whoever does not know the secret nothing else is believed.
  const bool proved =
      !record.secret.empty() && said.nonce().size() == wire::kNonceBytes &&
      wire::SameProof(said.proof(), wire::ProcessProof(record.secret, nonce, said.nonce()));
  if (!proved) return PermissionDenied("its capsem-process does not know the session's secret");
  if (said.session_id() != record.id.text()) {
    return PermissionDenied("its capsem-process is that of session {}", said.session_id());
  }
  if (said.protocol_max() < wire::kProcessProtocolMin ||
      said.protocol_min() > wire::kProcessProtocolMax) {
    return FailedPrecondition(
        "its capsem-process ({}) speaks versions {} to {}, this capsem-service {} to {}",
        said.build(), said.protocol_min(), said.protocol_max(), wire::kProcessProtocolMin,
        wire::kProcessProtocolMax);
  }
  return OkStatus();
}

void Adoption::Start() {
  started_ = Clock::Now();
  nonce_ = wire::RandomBytes(wire::kNonceBytes);
  slot_.client->Introduce(nonce_, [self = weak_.Get()](const StatusOr<IntroduceResponse>& said) {
    if (self) self->OnIntroduced(said);
  });
}

void Adoption::OnIntroduced(const StatusOr<IntroduceResponse>& said) {
  const SessionRecord& record = slot_.session.record();
  const Status checked = said.ok() ? CheckIntroduction(record, nonce_, *said) : said.status();
  if (checked.ok()) {
    const auto took =
        std::chrono::duration_cast<std::chrono::milliseconds>(Clock::Now() - started_);
    log::Info(
        "a machine of an earlier service goes on",
        {{"session", record.id.text()}, {"build", said->build()}, {"adopted_ms", took.count()}});
    slot_.client->Hold(std::move(events_.on_machine));
    slot_.client->SetKeep(slot_.session.persistent());
    slot_.client->Open(wire::ServiceProof(record.secret, record.id.text()));
  }
  auto on_done = std::move(events_.on_done);
  on_done(checked);
}

}  // namespace capsem::service
