#include "exec/exec_channel.h"

#include <algorithm>

#include "wire/limits.h"

namespace capsem::agent {

using wire::FrameKind;

namespace {

// To copy less is cheaper than to ask how much there is.
constexpr size_t kMuch = 32 * 1024;

}  // namespace

ExecChannel::ExecChannel(wire::Mux& mux, wire::ChannelId id, OnStart on_start)
    : mux_(mux), id_(id), on_start_(std::move(on_start)), reader_(wire::kMaxExecStart) {}

void ExecChannel::Accept(Events events) {
  events_ = std::move(events);
  accepted_ = true;
  ReadOn();
}

void ExecChannel::ReadOn() {
  if (reading_ || over_) return;
  reading_ = true;
  while (TakeStdin() && (TakeFrame() || TakeBytes())) {
  }
  // The host's half has ended without the frame that says so.
  if (stdin_.empty() && mux_.Finished(id_))
    OnBroken(InvalidArgument("the request ended before it was whole"));
  reading_ = false;
}

bool ExecChannel::TakeStdin() {
  if (!stdin_.empty()) stdin_.remove_prefix(events_.on_stdin(stdin_));
  return stdin_.empty() && started_ == accepted_;
}

bool ExecChannel::TakeFrame() {
  const auto frame = reader_.Next();
  if (!frame.ok()) OnBroken(frame.status());
  if (!frame.ok() || !frame->has_value()) return false;
  OnFrame(**frame);
  return true;
}

bool ExecChannel::TakeBytes() {
  const std::string_view bytes = mux_.Readable(id_).substr(0, wire::kMaxExecData);
  if (bytes.empty()) return false;
  const size_t count = bytes.size();
  reader_.Feed(bytes);
  mux_.Consume(id_, count);
  return true;
}

void ExecChannel::OnFrame(const wire::Frame& frame) {
  if (frame.kind == FrameKind::kExecStart && !started_) {
    capsem::guest::v1::ExecStart start;
    if (!start.ParseFromArray(frame.payload.data(), static_cast<int>(frame.payload.size())))
      return OnBroken(InvalidArgument("the request cannot be read"));
    started_ = true;
    on_start_(std::move(start));
  } else if (frame.kind == FrameKind::kExecStdin && accepted_ && !stdin_ended_) {
    stdin_ = frame.payload;
  } else if (frame.kind == FrameKind::kExecStdinEof && accepted_) {
    EndStdin();
  } else if (frame.kind == FrameKind::kExecResize && accepted_) {
    OnResize(frame.payload);
  } else {
    OnBroken(InvalidArgument("a frame of kind {} is out of place", static_cast<int>(frame.kind)));
  }
}

// Before the request: it is answered with the error. After it: the command's stdin ends here.
void ExecChannel::OnBroken(Status why) {
  if (std::exchange(started_, true)) return EndStdin();
  on_start_(std::move(why));
}

void ExecChannel::OnResize(std::string_view payload) {
  capsem::guest::v1::Resize size;
  if (!size.ParseFromArray(payload.data(), static_cast<int>(payload.size())))
    return OnBroken(InvalidArgument("the size of a terminal cannot be read"));
  events_.on_resize(size);
}

void ExecChannel::EndStdin() {
  if (!accepted_ || std::exchange(stdin_ended_, true)) return;
  events_.on_stdin_end();
}

void ExecChannel::Send(FrameKind kind, std::string_view payload) {
  if (over_ || finishing_) return;
  const auto header = wire::FrameHeader(kind, payload.size());
  Put({header.data(), header.size()});
  Put(payload);
}

void ExecChannel::Put(std::string_view bytes) {
  if (waiting_.empty()) bytes.remove_prefix(mux_.Write(id_, bytes));
  waiting_.append(bytes);
}

ssize_t ExecChannel::SendFrom(ExecOutput& output, FrameKind kind, size_t most) {
  std::span<char> room;
  const size_t there = much_ ? std::min(most, output.Available()) : 0;
  if (there >= kMuch && !over_ && waiting_.empty()) {
    room = mux_.MakeRoom(id_, wire::kFrameHeader + there);
    no_room_ = room.empty();
    if (no_room_) return -1;
  }
  const bool in_place = room.size() >= kMuch;
  static char chunk[wire::kMaxExecData];
  const std::span<char> into =
      in_place ? room.subspan(wire::kFrameHeader) : std::span(chunk).first(most);
  const ssize_t count = output.Read(into.data(), into.size());
  const size_t size = static_cast<size_t>(std::max<ssize_t>(count, 0));
  much_ = size >= kMuch;
  if (size == 0) return count;
  if (!in_place) {
    Send(kind, {chunk, size});
    return count;
  }
  std::ranges::copy(wire::FrameHeader(kind, size), room.begin());
  mux_.Wrote(id_, wire::kFrameHeader + size);
  return count;
}

void ExecChannel::Finish() {
  if (over_ || finishing_) return;
  finishing_ = true;
  OnWritable();
}

void ExecChannel::Refuse(int code, std::string_view why) {
  capsem::guest::v1::ExecExit exit;
  exit.set_code(static_cast<uint32_t>(code));
  exit.set_error(std::string(why));
  Send(FrameKind::kExecExit, exit.SerializeAsString());
  Finish();
}

void ExecChannel::OnWritable() {
  if (over_) return;
  no_room_ = false;
  waiting_.erase(0, mux_.Write(id_, waiting_));
  if (blocked()) return;
  if (finishing_) {
    mux_.Finish(id_);
    over_ = true;
  } else if (accepted_) {
    events_.on_drained();
  }
}

void ExecChannel::OnReset() {
  if (std::exchange(over_, true)) return;
  waiting_.clear();
  no_room_ = false;
  EndStdin();
  if (accepted_) events_.on_drained();
}

}  // namespace capsem::agent
