// Fuzz target (meson -Dfuzz=true): a guest that knows the link's secret, and then says anything on
// its control channel and on those of commands, while callers start commands, read them and leave.
// What callers hear is what well-formed frames said, in their order, and ends once.
//
// An input is a list of acts, a byte each with what it needs. Files are made in the working folder.
#include "guest/guest_session.h"

#include <list>

#include "base/byte_stream.h"
#include "base/log.h"
#include "wire/frame.h"
#include "wire/hello.h"
#include "wire/limits.h"
#include "wire/testing/fuzz_input.h"

using namespace capsem;
using namespace capsem::process;
using wire::FrameKind;

namespace {

// The guest's end: it keeps to the rules of the link, and says on it what it is told to.
class Guest {
 public:
  explicit Guest(Loop& loop)
      : loop_(loop),
        mux_(wire::Mux::Side::kGuest,
             {.on_open = [this](wire::ChannelId id, wire::ChannelKind,
                                std::string_view) { channels_.push_back(id); },
              .on_readable =
                  [this](wire::ChannelId id) { mux_.Consume(id, mux_.Readable(id).size()); },
              .on_writable = [](wire::ChannelId) {},
              .on_reset = [](wire::ChannelId) {},
              .on_output = [this] { Pump(); }}) {}
  UniqueFd Dial();
  void HangUp() {
    stream_.reset();
    mux_.Disconnected();
  }
  wire::Mux& mux() { return mux_; }
  // One of those that the host has opened; 0 = there is none.
  wire::ChannelId Channel(size_t number) const {
    return channels_.empty() ? 0 : channels_[number % channels_.size()];
  }
  void Say(wire::ChannelId channel, std::string_view bytes) {
    if (!mux_.Exists(channel)) return;
    said_[channel] += bytes.substr(0, mux_.Write(channel, bytes));
  }
  const std::string& said(wire::ChannelId channel) { return said_[channel]; }

 private:
  void OnBytes(std::string_view bytes);
  void Pump() {
    std::string bytes;
    if (stream_ == nullptr || !handshake_->done() || !mux_.PullOutput(bytes, 1 << 20)) return;
    stream_->Write(bytes);
  }

  Loop& loop_;
  wire::Mux mux_;
  wire::LinkIdentity identity_;
  std::unique_ptr<wire::GuestHandshake> handshake_;
  std::unique_ptr<ByteStream> stream_;
  std::vector<wire::ChannelId> channels_;
  std::map<wire::ChannelId, std::string> said_;
};

UniqueFd Guest::Dial() {
  auto ends = SocketPair();
  ENSURE(ends.ok());
  mux_.Disconnected();
  handshake_ = std::make_unique<wire::GuestHandshake>(identity_, mux_.ResumeState(), "fuzz");
  stream_ =
      std::make_unique<ByteStream>(loop_, std::move(ends->second),
                                   ByteStream::Events{.on_bytes = [this](auto b) { OnBytes(b); },
                                                      .on_end = [](const Status&) {}});
  stream_->Write(handshake_->TakeOutput());
  return std::move(ends->first);
}

// The host keeps to the rules, whatever it was told.
void Guest::OnBytes(std::string_view bytes) {
  if (handshake_->done()) {
    ENSURE(mux_.OnBytes(bytes).ok());
    return;
  }
  ENSURE(handshake_->OnBytes(bytes).ok());
  stream_->Write(handshake_->TakeOutput());
  if (!handshake_->done()) return;
  identity_ = handshake_->identity();
  if (const auto& resume = handshake_->result().peer_resume) {
    ENSURE(mux_.Resume(*resume).ok());
  } else {
    mux_.Connected();
  }
  ENSURE(mux_.OnBytes(handshake_->TakeRest()).ok());
  Pump();
}

// Somebody who reads a command.
struct Caller {
  ExecTable::Handle handle;
  bool from_start = false;
  bool full = false;
  std::string out, err;
  std::optional<uint64_t> next;  // the offset of the next event
  bool exited = false;
  int ends = 0;

  ExecSink Sink() {
    return {.on_event = [this](const capsem::v1::ExecEvent& event) { return Hear(event); },
            .on_stdin_ready = [] {},
            .on_end =
                [this](const Status& status) {
                  ENSURE(status.ok() == exited);
                  ++ends;
                }};
  }
  bool Hear(const capsem::v1::ExecEvent& event) {
    ENSURE(ends == 0 && !exited);
    const size_t size = event.stdout().size() + event.stderr().size();
    if (size > 0) {
      ENSURE(!next || event.offset() == *next);
      next = event.offset() + size;
    }
    out += event.stdout();
    err += event.stderr();
    exited = event.has_exit();
    if (exited) ENSURE(event.exit().code() <= 255 && event.exit().signal() <= 127);
    return !full;
  }
};

class Play {
 public:
  Play(Loop& loop, wire::FuzzInput& input) : loop_(loop), input_(input), guest_(loop) {
    session_ = std::make_unique<GuestSession>(
        loop_, GuestIdentity{"abcdefghijkl", "", {}}, SpoolPlace{"spools"},
        GuestSession::Events{.on_configured = [this] { ENSURE(++configured_ == 1); },
                             .on_powering_off = [] {},
                             .on_broken = [this](const Status&) { broken_ = true; },
                             .on_up = [] {}});
    Connect();
  }
  void Run() {
    while (!input_.empty() && !broken_) {
      Act();
      Turn();
      CheckEnded();
    }
    End();
  }

 private:
  void Act();
  void SayFrame();
  void SayExit();
  void SayControl();
  void GuestChannel();
  void Start();
  void Write();
  void Read();
  void Connect();
  void Reconnect(bool rebuild);
  void End();
  void CheckEnded();
  void CheckHeard(Caller& caller);
  Caller* AnyCaller() {
    return callers_.empty() ? nullptr
                            : &*std::next(callers_.begin(), input_.Byte() % callers_.size());
  }
  void Turn() {
    for (int turn = 0; turn < 6; ++turn) uv_run(loop_.uv(), UV_RUN_NOWAIT);
  }

  Loop& loop_;
  wire::FuzzInput& input_;
  Guest guest_;
  std::unique_ptr<GuestSession> session_;
  std::list<Caller> callers_;
  int configured_ = 0;
  bool broken_ = false;
};

void Play::Act() {
  switch (input_.Byte() % 13) {
    case 0: return Start();
    case 1:
    case 2: return SayFrame();
    case 3: return SayExit();
    case 4: return guest_.Say(guest_.Channel(input_.Byte()), input_.Bytes(input_.Byte()));
    case 5: {
      const std::string_view payload = input_.Bytes(input_.Byte());
      return guest_.Say(wire::kControlChannel, wire::EncodeFrame(FrameKind::kMessage, payload));
    }
    case 6: return guest_.Say(wire::kControlChannel, input_.Bytes(input_.Byte()));
    case 7: return GuestChannel();
    case 8: return Write();
    case 9: return Read();
    case 10: return Reconnect(input_.Byte() % 2 == 0);
    case 11: return session_->PowerOff(input_.Byte());
    case 12: return SayControl();
  }
}

void Play::SayFrame() {
  const wire::ChannelId channel = guest_.Channel(input_.Byte());
  const auto kind = static_cast<FrameKind>(input_.Byte() % 16);
  guest_.Say(channel, wire::EncodeFrame(kind, input_.Bytes(input_.Byte())));
}

void Play::SayExit() {
  const wire::ChannelId channel = guest_.Channel(input_.Byte());
  capsem::guest::v1::ExecExit exit;
  exit.set_code(static_cast<uint32_t>(input_.Number()));
  exit.set_signal(input_.Byte());
  guest_.Say(channel, wire::EncodeFrame(FrameKind::kExecExit, exit.SerializeAsString()));
}

void Play::SayControl() {
  capsem::guest::v1::GuestFrame frame;
  switch (input_.Byte() % 4) {
    case 0: frame.mutable_configured(); break;
    case 1: frame.mutable_powering_off(); break;
    case 2: frame.mutable_problem()->set_text("a problem"); break;
    case 3: frame.mutable_quiesced(); break;
  }
  const std::string payload = frame.SerializeAsString();
  guest_.Say(wire::kControlChannel, wire::EncodeFrame(FrameKind::kMessage, payload));
}

void Play::GuestChannel() {
  const uint8_t what = input_.Byte() % 3;
  const wire::ChannelId channel = guest_.Channel(input_.Byte());
  if (what == 0) return guest_.mux().Open(wire::ChannelKind::kExec, "").IgnoreError();
  if (channel == wire::kControlChannel || !guest_.mux().Exists(channel)) return;
  what == 1 ? guest_.mux().Finish(channel) : guest_.mux().Reset(channel);
}

void Play::Start() {
  const uint8_t how = input_.Byte();
  capsem::v1::ExecStart start;
  (how & 1) != 0 ? start.set_shell("true") : start.add_argv("true");
  if ((how & 2) != 0) start.mutable_pty()->set_term("xterm");
  start.set_stdin_open((how & 4) != 0);
  if ((how & 8) != 0) start.set_when_full(capsem::v1::WHEN_FULL_DROP);
  auto* variable = start.add_env();
  variable->set_key("KEY");
  Caller& caller = callers_.emplace_back();
  caller.from_start = true;
  caller.full = (how & 16) != 0;
  auto handle = session_->execs().Start(start, caller.Sink());
  // There are a thousand already.
  if (!handle.ok()) return callers_.pop_back();
  caller.handle = *std::move(handle);
}

void Play::Write() {
  Caller* const caller = AnyCaller();
  if (caller == nullptr) return;
  const uint8_t what = input_.Byte() % 4;
  if (what == 3) session_->execs().Signal(caller->handle.id, 1 + input_.Byte() % 64).IgnoreError();
  if (!caller->handle.run) return;
  if (what == 0) caller->handle.run->WriteStdin(input_.Bytes(input_.Byte()));
  if (what == 1) caller->handle.run->FinishStdin();
  if (what == 2) caller->handle.run->Resize({});
}

void Play::Read() {
  Caller* const caller = AnyCaller();
  if (caller == nullptr) return;
  switch (input_.Byte() % 4) {
    case 0: caller->handle.reader.reset(); break;
    case 1: caller->full = true; break;
    case 2:
      caller->full = false;
      if (caller->handle.reader) caller->handle.reader->Ready();
      break;
    case 3: {
      capsem::v1::ExecAttach attach;
      attach.set_exec(caller->handle.id + input_.Byte() % 2);
      if (const uint8_t offset = input_.Byte(); offset < 128) attach.set_offset(offset);
      Caller& other = callers_.emplace_back();
      auto handle = session_->execs().Attach(attach, other.Sink());
      if (!handle.ok()) return callers_.pop_back();
      other.handle = *std::move(handle);
    }
  }
}

void Play::Connect() {
  session_->Adopt(guest_.Dial());
  for (int turn = 0; turn < 64 && !session_->link_up(); ++turn) Turn();
  ENSURE(session_->link_up());
}

void Play::Reconnect(bool rebuild) {
  guest_.HangUp();
  Turn();
  ENSURE(!session_->link_up());
  if (rebuild) ENSURE(session_->RebuildLink("link").ok());
  Connect();
}

// The machine goes: whoever still reads hears of one end.
void Play::End() {
  if (!broken_) session_->Fail(Unavailable("the machine is gone"));
  for (Caller& caller : callers_) {
    caller.full = false;
    if (caller.handle.reader) caller.handle.reader->Ready();
  }
  Turn();
  for (Caller& caller : callers_) {
    if (caller.handle.reader) ENSURE(caller.ends == 1);
    CheckHeard(caller);
  }
  callers_.clear();
  session_.reset();
}

// What has ended is not there any more.
void Play::CheckEnded() {
  const capsem::v1::ListExecsResponse list = session_->execs().List();
  for (const auto& info : list.execs()) {
    if (info.state() == capsem::v1::EXEC_STATE_RUNNING) continue;
    ENSURE(absl::IsNotFound(session_->execs().Signal(info.exec(), 1)));
  }
}

// What its frames say, up to the first that is wrong.
void Play::CheckHeard(Caller& caller) {
  if (!caller.from_start) return;
  std::string out, err;
  // The host opens one channel for each command, with the numbers 1, 3, 5, …
  std::string_view said = guest_.said(static_cast<wire::ChannelId>(2 * caller.handle.id - 1));
  bool exited = false;
  while (!exited) {
    const auto frame = wire::ParseFrame(said, wire::kMaxExecData);
    if (!frame.ok() || !*frame) break;
    if ((*frame)->kind == FrameKind::kExecStdout) out += (*frame)->payload;
    if ((*frame)->kind == FrameKind::kExecStderr) err += (*frame)->payload;
    exited = (*frame)->kind == FrameKind::kExecExit;
    said.remove_prefix((*frame)->size);
  }
  ENSURE(out.starts_with(caller.out) && err.starts_with(caller.err));
  if (caller.exited) ENSURE(exited && out == caller.out && err == caller.err);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static auto* loop = new Loop;
  log::SetLevel(log::Level::kError);
  wire::FuzzInput input(data, size);
  { Play(*loop, input).Run(); }
  // What was closed is freed by the loop.
  uv_run(loop->uv(), UV_RUN_NOWAIT);
  return 0;
}
