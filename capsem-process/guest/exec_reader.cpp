#include "guest/exec_reader.h"

#include <utility>

#include "guest/exec_record.h"

namespace capsem::process {

using capsem::v1::ExecEvent;

namespace {

// Of one event. What an event costs on its way hardly depends on its size (docs/decisions/0011).
constexpr size_t kMaxOutput = 256 * 1024;
// After an event of so much more is to be expected; what is typed and answered is less.
constexpr size_t kBulk = 16 * 1024;
// How long what follows then may wait for its event to fill.
constexpr std::chrono::milliseconds kGather{4};

}  // namespace

ExecReader::ExecReader(ExecRecord& record, uint64_t offset, uint64_t dropped, ExecSink sink)
    : record_(record),
      cursor_(offset),
      dropped_(dropped),
      sink_(std::move(sink)),
      gather_(record.loop_) {}

ExecReader::~ExecReader() { record_.Forget(this); }

void ExecReader::Ready() {
  full_ = false;
  GoOn();
}

void ExecReader::GoOn() {
  ExecRecord& record = record_;  // the end of what is read may drop this
  Pump();
  record.OnProgress();
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
  if (Gathers()) return false;
  const Status taken = TakeOutput(event);
  if (!taken.ok()) {
    End(taken);
    return false;
  }
  if (event.kind_case() != ExecEvent::KIND_NOT_SET) {
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

bool ExecReader::Gathers() const {
  return gather_.active() && !record_.end_ && record_.spool_.end() - offset() < kMaxOutput;
}

Status ExecReader::TakeOutput(ExecEvent& event) {
  std::optional<OutputStream> stream;
  std::string* output = nullptr;
  while (output == nullptr || output->size() < kMaxOutput) {
    const auto looked = record_.spool_.Look(cursor_);
    // What came before it goes first.
    if (!looked.ok() && !stream) return looked.status();
    if (!looked.ok() || !*looked) break;
    const ExecSpool::Piece& piece = **looked;
    if (stream && piece.stream != *stream) break;
    if (!stream) {
      stream = piece.stream;
      const bool is_stdout = *stream == OutputStream::kStdout;
      output = is_stdout ? event.mutable_stdout() : event.mutable_stderr();
    }
    const std::string_view bytes = piece.bytes.substr(0, kMaxOutput - output->size());
    output->append(bytes);
    cursor_.Advance(bytes.size());
  }
  gather_.Cancel();
  if (output != nullptr && output->size() >= kBulk) {
    gather_.Start(kGather, [this] { GoOn(); });
  }
  return OkStatus();
}

void ExecReader::Give(ExecEvent event) { full_ = !sink_.on_event(std::move(event)); }

void ExecReader::End(Status status) {
  if (std::exchange(ended_, true)) return;
  // Its callback may drop this.
  auto on_end = std::move(sink_.on_end);
  on_end(std::move(status));
}

}  // namespace capsem::process
