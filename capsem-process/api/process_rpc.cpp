#include "api/process_rpc.h"

#include <utility>

#include "protocol.h"

namespace capsem::process {

using capsem::process::v1::HoldRequest;
using capsem::process::v1::IntroduceRequest;
using capsem::process::v1::IntroduceResponse;
using capsem::process::v1::MachineEvent;
using capsem::process::v1::ReplugRequest;
using capsem::process::v1::ReplugResponse;
using capsem::process::v1::SetKeepRequest;
using capsem::process::v1::SetKeepResponse;
using capsem::process::v1::StopRequest;
using capsem::process::v1::StopResponse;
using capsem::v1::ListExecsRequest;
using capsem::v1::ListExecsResponse;
using capsem::v1::SignalRequest;
using capsem::v1::SignalResponse;

ProcessRpc::ProcessRpc(Loop& loop, Life& life, GuestSession& guest, const Door& door,
                       ProcessVerbs verbs)
    : loop_(loop), life_(life), guest_(guest), door_(door), verbs_(std::move(verbs)) {
  life_.Observe([this](const Life&) { TellHolds(); });
}

grpc::ServerUnaryReactor* ProcessRpc::Introduce(grpc::CallbackServerContext*,
                                                const grpc::ByteBuffer* in, grpc::ByteBuffer* out) {
  return rpc::OnLoop<IntroduceRequest, IntroduceResponse>(
      loop_, in, out,
      [this](const IntroduceRequest& request, auto reply) { reply(door_.Introduce(request)); });
}

grpc::ServerWriteReactor<grpc::ByteBuffer>* ProcessRpc::Hold(grpc::CallbackServerContext* context,
                                                             const grpc::ByteBuffer* in) {
  return HoldStream::Accept<HoldRequest>(
      loop_, in, [this, allowed = door_.Check(*context)](const HoldRequest&, auto stream) {
        if (!allowed.ok()) return stream->Finish(allowed);
        AddHold(std::move(stream));
      });
}

grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* ProcessRpc::Exec(
    grpc::CallbackServerContext* context) {
  return ServeExec(*context);
}

grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* ProcessRpc::Attach(
    grpc::CallbackServerContext* context) {
  // No reactor: UNIMPLEMENTED, as gRPC says of a call that it does not know.
  return KnowsLaterCalls() ? ServeExec(*context) : nullptr;
}

grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* ProcessRpc::ServeExec(
    const grpc::CallbackServerContext& context) {
  return ExecCall::Stream::Accept(loop_, [this, allowed = door_.Check(context)](auto stream) {
    if (!allowed.ok()) return stream->Finish(allowed);
    const auto slot = execs_.emplace(execs_.end());
    *slot = std::make_unique<ExecCall>(loop_, std::move(stream), life_, guest_, [this, slot] {
      // Later: the call's own event is on the stack.
      loop_.Post([this, slot] {
        execs_.erase(slot);
        AfterRemoval();
      });
    });
  });
}

grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* ProcessRpc::File(
    grpc::CallbackServerContext* context) {
  if (!KnowsLaterCalls()) return nullptr;
  return FileCall::Stream::Accept(loop_, [this, allowed = door_.Check(*context)](auto stream) {
    if (!allowed.ok()) return stream->Finish(allowed);
    const auto slot = files_.emplace(files_.end());
    *slot = std::make_unique<FileCall>(std::move(stream), life_, guest_.files(), [this, slot] {
      loop_.Post([this, slot] {
        files_.erase(slot);
        AfterRemoval();
      });
    });
  });
}

grpc::ServerUnaryReactor* ProcessRpc::ListExecs(grpc::CallbackServerContext* context,
                                                const grpc::ByteBuffer* in, grpc::ByteBuffer* out) {
  if (!KnowsLaterCalls()) return nullptr;
  return Guarded<ListExecsRequest, ListExecsResponse>(
      *context, in, out,
      [this](const ListExecsRequest&, auto reply) { reply(guest_.execs().List()); });
}

grpc::ServerUnaryReactor* ProcessRpc::Signal(grpc::CallbackServerContext* context,
                                             const grpc::ByteBuffer* in, grpc::ByteBuffer* out) {
  return Guarded<SignalRequest, SignalResponse>(
      *context, in, out, [this](const SignalRequest& request, auto reply) {
        const Status status = guest_.execs().Signal(request.exec(), request.signal());
        if (!status.ok()) return reply(status);
        reply(SignalResponse());
      });
}

grpc::ServerUnaryReactor* ProcessRpc::Stop(grpc::CallbackServerContext* context,
                                           const grpc::ByteBuffer* in, grpc::ByteBuffer* out) {
  return Guarded<StopRequest, StopResponse>(
      *context, in, out, [this](const StopRequest& request, auto reply) {
        verbs_.stop(request.grace_ms(), [reply = std::move(reply)](Status status) mutable {
          if (!status.ok()) return reply(status);
          reply(StopResponse());
        });
      });
}

grpc::ServerUnaryReactor* ProcessRpc::SetKeep(grpc::CallbackServerContext* context,
                                              const grpc::ByteBuffer* in, grpc::ByteBuffer* out) {
  return Guarded<SetKeepRequest, SetKeepResponse>(
      *context, in, out, [this](const SetKeepRequest& request, auto reply) {
        verbs_.set_keep(request.keep());
        reply(SetKeepResponse());
      });
}

grpc::ServerUnaryReactor* ProcessRpc::Replug(grpc::CallbackServerContext* context,
                                             const grpc::ByteBuffer* in, grpc::ByteBuffer* out) {
  return Guarded<ReplugRequest, ReplugResponse>(*context, in, out,
                                                [this](const ReplugRequest& request, auto reply) {
                                                  verbs_.replug(request, std::move(reply));
                                                });
}

void ProcessRpc::AddHold(std::unique_ptr<HoldStream> stream) {
  const auto slot = holds_.insert(holds_.end(), std::move(stream));
  verbs_.on_held();
  (*slot)->Begin({.on_closed = [this, slot](bool) {
    loop_.Post([this, slot] {
      holds_.erase(slot);
      verbs_.on_released();
      AfterRemoval();
    });
  }});
  (*slot)->Write(Now());
  if (life_.state() == Life::State::kGone) (*slot)->Finish(OkStatus());
}

void ProcessRpc::TellHolds() {
  const bool gone = life_.state() == Life::State::kGone;
  for (auto& hold : holds_) {
    hold->Write(Now());
    if (gone) hold->Finish(OkStatus());
  }
}

MachineEvent ProcessRpc::Now() {
  MachineEvent event;
  event.set_machine_pid(verbs_.machine_pid());
  event.set_reason(life_.trouble());
  switch (life_.state()) {
    case Life::State::kBooting: event.set_state(MachineEvent::STATE_BOOTING); break;
    case Life::State::kReady:
    case Life::State::kDraining: event.set_state(MachineEvent::STATE_READY); break;
    case Life::State::kGone:
      event.set_state(MachineEvent::STATE_GONE);
      event.set_reason(life_.exit().reason);
      event.set_clean(life_.exit().clean);
      event.set_restart(life_.exit().restart);
      break;
  }
  return event;
}

void ProcessRpc::AfterRemoval() {
  if (idle()) verbs_.on_idle();
}

}  // namespace capsem::process
