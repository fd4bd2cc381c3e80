#include "api/bulk_gate.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <utility>

namespace capsem::service {
namespace {

using std::chrono::milliseconds;

// Between two looks: over less time the two numbers say little.
constexpr milliseconds kLook{20};

}  // namespace

BulkGate::BulkGate(const std::string& schedstat)
    : schedstat_(open(schedstat.c_str(), O_RDONLY | O_CLOEXEC)) {}

milliseconds BulkGate::Pass(const SessionId& session, size_t bytes, Clock::TimePoint now) {
  if (bytes < kBulk) {
    NoteSmall(session, now);
    return {};
  }
  if (!OtherServed(session, now) || !ProcessorsAreShort(now)) return {};
  next_slot_ = std::max(next_slot_, now) + kSlot;
  return std::chrono::ceil<milliseconds>(next_slot_ - now);
}

void BulkGate::NoteSmall(const SessionId& session, Clock::TimePoint now) {
  if (last_ && last_->session != session) before_ = std::exchange(last_, std::nullopt);
  last_ = {session, now};
}

bool BulkGate::OtherServed(const SessionId& session, Clock::TimePoint now) const {
  const std::optional<Served>& other = last_ && last_->session == session ? before_ : last_;
  return other && now - other->when < kServed;
}

bool BulkGate::ProcessorsAreShort(Clock::TimePoint now) {
  if (!schedstat_.valid() || now - looked_ < kLook) return short_;
  looked_ = now;
  char text[96] = {};
  unsigned long long ran = 0, waited = 0;
  const ssize_t size = pread(schedstat_.get(), text, sizeof text - 1, 0);
  if (size <= 0 || sscanf(text, "%llu %llu", &ran, &waited) != 2) return short_ = false;
  short_ = 4 * (waited - waited_) > ran - ran_;
  ran_ = ran;
  waited_ = waited;
  return short_;
}

}  // namespace capsem::service
