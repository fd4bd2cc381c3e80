#include "guest/exec_record.h"

#include <algorithm>
#include <utility>

#include "base/clock.h"
#include "wire/limits.h"

namespace capsem::process {
namespace {

using capsem::v1::ExecInfo;
using capsem::v1::ExecStart;

// Of a command, as the list of all tells it: a thousand of them fit into one message.
constexpr int kShownWords = 32;
constexpr size_t kShownBytes = 1024;

// Chunks of a spool for what is on its way when a command gets a signal: a channel's window, and
// what the guest's pipes hold.
constexpr size_t kReserve = (wire::kChannelWindow + 512 * 1024) / ExecSpool::kChunk;

// At most so many bytes, and no part of a character: it is UTF-8.
std::string_view Cut(std::string_view text, size_t most) {
  if (text.size() <= most) return text;
  while (most > 0 && (text[most] & 0xc0) == 0x80) --most;
  return text.substr(0, most);
}

ExecInfo InfoOf(uint64_t id, const ExecStart& request) {
  ExecInfo info;
  info.set_exec(id);
  info.set_started_unix_ms(Clock::WallMillis());
  info.set_pty(request.has_pty());
  info.set_uid(request.uid());
  size_t left = kShownBytes;
  const auto add = [&](std::string_view word) {
    const std::string_view shown = Cut(word, left);
    left -= shown.size();
    info.set_argv_cut(info.argv_cut() || shown.size() < word.size());
    info.add_argv(std::string(shown));
  };
  if (!request.shell().empty()) {
    for (const char* word : {"/bin/sh", "-c"}) add(word);
    add(request.shell());
  }
  for (const std::string& word : request.argv()) {
    if (info.argv_size() == kShownWords || left == 0) info.set_argv_cut(true);
    if (info.argv_cut()) break;
    add(word);
  }
  return info;
}

}  // namespace

ExecRecord::ExecRecord(Loop& loop, uint64_t id, const ExecStart& request, SpoolPlace spool,
                       absl::AnyInvocable<void()> on_room)
    : loop_(loop),
      info_(InfoOf(id, request)),
      drops_(request.when_full() == capsem::v1::WHEN_FULL_DROP),
      spool_(loop, std::move(spool.path), {.total = spool.bytes},
             [this] {
               PumpAll();
               OnProgress();
             }),
      on_room_(std::move(on_room)) {}

bool ExecRecord::HasRoom() const {
  if (spool_.behind()) return false;
  if (readers_.empty()) return drops_ || !spool_.full(signalled_ ? 0 : kReserve);
  return std::all_of(readers_.begin(), readers_.end(), [this](const ExecReader* reader) {
    if (spool_.full() && reader->offset() < spool_.next_begin()) return false;
    return spool_.end() - reader->offset() <= wire::kExecSpoolMemory;
  });
}

bool ExecRecord::takes() {
  held_ = !HasRoom();
  return !held_;
}

void ExecRecord::Add(OutputStream stream, std::string_view bytes) {
  spool_.Append(stream, bytes);
  PumpAll();
}

void ExecRecord::PumpAll() {
  // The end of one may drop another.
  for (ExecReader* reader : std::vector(readers_)) {
    if (std::find(readers_.begin(), readers_.end(), reader) != readers_.end()) reader->Pump();
  }
}

void ExecRecord::OnProgress() {
  if (held_ && HasRoom()) on_room_();
}

void ExecRecord::OnSignal() {
  signalled_ = true;
  OnProgress();
}

void ExecRecord::OnStdinReady() {
  for (ExecReader* reader : std::vector(readers_)) reader->sink_.on_stdin_ready();
}

void ExecRecord::Exit(const capsem::v1::ExecExit& exit) {
  *info_.mutable_exit() = exit;
  info_.set_state(capsem::v1::EXEC_STATE_EXITED);
  end_ = OkStatus();
  spool_.Close();
  PumpAll();
}

void ExecRecord::Fail(Status reason) {
  info_.set_state(capsem::v1::EXEC_STATE_LOST);
  info_.set_reason(std::string(Message(reason)));
  end_ = std::move(reason);
  spool_.Close();
  PumpAll();
}

StatusOr<std::unique_ptr<ExecReader>> ExecRecord::Attach(std::optional<uint64_t> offset,
                                                         ExecSink sink) {
  const uint64_t begin = spool_.begin();
  if (offset && (*offset < begin || *offset > spool_.end())) {
    return WithRemedy(
        OutOfRange("command {} has the bytes {} to {} of its output, and you ask from {} on", id(),
                   begin, spool_.end(), *offset),
        fmt::format("ask from {} on, or without an offset for all that there is", begin));
  }
  std::unique_ptr<ExecReader> reader(
      new ExecReader(*this, offset.value_or(begin), offset ? 0 : begin, std::move(sink)));
  readers_.push_back(reader.get());
  if (spool_.end() == 0 && !end_) return reader;
  loop_.Post([weak = reader->weak_.Get()] {
    if (weak) weak->Ready();
  });
  return reader;
}

void ExecRecord::Forget(const ExecReader* reader) {
  std::erase(readers_, reader);
  OnProgress();
}

ExecInfo ExecRecord::Info() const {
  ExecInfo info = info_;
  if (!end_) info.set_state(capsem::v1::EXEC_STATE_RUNNING);
  // Not where only its file is behind: for that it waits for nobody.
  info.set_held(!end_ && held_ && !spool_.behind() && !HasRoom());
  info.set_first_offset(spool_.begin());
  info.set_end_offset(spool_.end());
  info.set_readers(static_cast<uint32_t>(readers_.size()));
  return info;
}

}  // namespace capsem::process
