#include "guest/exec_reader.h"

#include <utility>

#include "guest/exec_record.h"
#include "wire/limits.h"

namespace capsem::process {

using capsem::v1::ExecEvent;

ExecReader::ExecReader(ExecRecord& record, uint64_t offset, uint64_t dropped, ExecSink sink)
    : record_(record), cursor_(offset), dropped_(dropped), sink_(std::move(sink)) {}

ExecReader::~ExecReader() { record_.Forget(this); }

void ExecReader::Ready() {
  full_ = false;
  Pump();
  record_.OnProgress();
}

void ExecReader::Pump() {
  if (std::exchange(pumping_, true)) return;
  const auto self = weak_.Get();
  while (self && !full_ && !ended_ && PumpOne()) {
  }
  if (self) pumping_ = false;
}

// False: there is nothing now.
bool ExecReader::PumpOne() {
  ExecEvent event;
  event.set_offset(offset());
  if (dropped_ > 0) {
    event.set_dropped(std::exchange(dropped_, 0));
    Give(std::move(event));
    return true;
  }
  const auto piece = record_.spool_.Look(cursor_);
  if (!piece.ok()) {
    End(piece.status());
    return false;
  }
  if (piece->has_value()) {
    const std::string_view bytes = (*piece)->bytes.substr(0, wire::kMaxExecData);
    const bool is_stdout = (*piece)->stream == OutputStream::kStdout;
    (is_stdout ? event.mutable_stdout() : event.mutable_stderr())->assign(bytes);
    cursor_.Advance(bytes.size());
    Give(std::move(event));
    return true;
  }
  if (!record_.end_ || offset() < record_.spool_.end()) return false;
  if (record_.end_->ok()) {
    *event.mutable_exit() = record_.info_.exit();
    sink_.on_event(std::move(event));
  }
  End(*record_.end_);
  return false;
}

void ExecReader::Give(ExecEvent event) { full_ = !sink_.on_event(std::move(event)); }

void ExecReader::End(Status status) {
  if (std::exchange(ended_, true)) return;
  // Its callback may drop this.
  auto on_end = std::move(sink_.on_end);
  on_end(std::move(status));
}

}  // namespace capsem::process
