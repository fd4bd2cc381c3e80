// A capsem-process on a socket, for tests: it serves Machine and does what the test says.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/testing/test_loop.h"
#include "capsem/process/v1/process.grpc.pb.h"
#include "rpc/on_loop.h"
#include "rpc/server_stream.h"
#include "rpc/testing/test_server.h"
#include "store/session_record.h"
#include "wire/limits.h"
#include "wire/proof.h"

namespace capsem::service {

using FakeMachineBase = capsem::process::v1::Machine::WithRawCallbackMethod_Introduce<
    capsem::process::v1::Machine::WithRawCallbackMethod_SetKeep<
        capsem::process::v1::Machine::WithRawCallbackMethod_Hold<
            capsem::process::v1::Machine::WithRawCallbackMethod_File<
                capsem::process::v1::Machine::WithRawCallbackMethod_Exec<
                    capsem::process::v1::Machine::WithRawCallbackMethod_Attach<
                        capsem::process::v1::Machine::WithRawCallbackMethod_Signal<
                            capsem::process::v1::Machine::WithRawCallbackMethod_Stop<
                                capsem::process::v1::Machine::Service>>>>>>>>;

class FakeProcess final : public FakeMachineBase {
 public:
  using ExecStream = rpc::ServerStream<capsem::v1::ExecInput, capsem::v1::ExecEvent>;
  using FileStream =
      rpc::ServerStream<capsem::process::v1::FileInput, capsem::process::v1::FileEvent>;
  using HoldStream = rpc::ServerWriter<capsem::process::v1::MachineEvent>;
  using Event = capsem::process::v1::MachineEvent;

  explicit FakeProcess(TestLoop& loop) : loop_(loop) {}

  // Tests set what they care about. By default an exec's stream waits in `execs`.
  std::function<void(std::unique_ptr<ExecStream>)> on_exec = [this](auto stream) {
    stream->Begin({.on_message = [this](capsem::v1::ExecInput input) { inputs.push_back(input); },
                   .on_inputs_end = [this] { inputs_ended = true; },
                   .on_ready = [] {},
                   .on_closed = [this](bool) { ++execs_closed; }});
    execs.push_back(std::move(stream));
  };
  std::function<void(uint32_t grace_ms)> on_stop = [](uint32_t) {};
  std::vector<std::unique_ptr<ExecStream>> execs;
  std::vector<std::unique_ptr<FileStream>> files;
  std::vector<capsem::process::v1::FileInput> file_inputs;
  int files_closed = 0;
  std::vector<capsem::v1::ExecInput> inputs;
  std::vector<capsem::v1::SignalRequest> signals;
  std::unique_ptr<HoldStream> hold;
  // Whose it is, by its own words, and the secret that it knows.
  SessionRecord knows{.id = SessionId::Generate()};
  std::optional<bool> keep;
  int execs_closed = 0;
  bool inputs_ended = false;
  std::atomic<bool> attached = false;  // by Attach; set on a thread of gRPC

  void Say(Event::State state, const std::string& reason = {}, bool clean = false,
           bool restart = false) {
    Event event;
    event.set_restart(restart);
    event.set_state(state);
    event.set_reason(reason);
    event.set_clean(clean);
    hold->Write(event);
  }
  static capsem::process::v1::IntroduceResponse Introduction(const SessionRecord& record,
                                                             const std::string& nonce) {
    capsem::process::v1::IntroduceResponse said;
    said.set_nonce(std::string(wire::kNonceBytes, 'p'));
    said.set_proof(wire::ProcessProof(record.secret, nonce, said.nonce()));
    said.set_session_id(record.id.text());
    said.set_protocol_min(wire::kProcessProtocolMin);
    said.set_protocol_max(wire::kProcessProtocolMax);
    return said;
  }
  // Ends every exec that still runs, as a process does whose machine is gone.
  void EndExecs(const Status& status) {
    for (const auto& exec : execs) exec->Finish(status);
    execs.clear();
  }

 private:
  grpc::ServerUnaryReactor* Introduce(grpc::CallbackServerContext*, const grpc::ByteBuffer* in,
                                      grpc::ByteBuffer* out) override {
    using capsem::process::v1::IntroduceRequest;
    using capsem::process::v1::IntroduceResponse;
    return rpc::OnLoop<IntroduceRequest, IntroduceResponse>(
        loop_, in, out, [this](const IntroduceRequest& request, auto reply) {
          reply(Introduction(knows, request.nonce()));
        });
  }
  grpc::ServerUnaryReactor* SetKeep(grpc::CallbackServerContext*, const grpc::ByteBuffer* in,
                                    grpc::ByteBuffer* out) override {
    using capsem::process::v1::SetKeepRequest;
    using capsem::process::v1::SetKeepResponse;
    return rpc::OnLoop<SetKeepRequest, SetKeepResponse>(
        loop_, in, out, [this](const SetKeepRequest& request, auto reply) {
          keep = request.keep();
          reply(SetKeepResponse());
        });
  }
  grpc::ServerWriteReactor<grpc::ByteBuffer>* Hold(grpc::CallbackServerContext*,
                                                   const grpc::ByteBuffer* in) override {
    return HoldStream::Accept<capsem::process::v1::HoldRequest>(
        loop_, in, [this](const auto&, std::unique_ptr<HoldStream> stream) {
          hold = std::move(stream);
          hold->Begin({});
        });
  }
  grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* Exec(
      grpc::CallbackServerContext*) override {
    return ExecStream::Accept(
        loop_, [this](std::unique_ptr<ExecStream> stream) { on_exec(std::move(stream)); });
  }
  grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* Attach(
      grpc::CallbackServerContext* context) override {
    attached = true;
    return Exec(context);
  }
  grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* File(
      grpc::CallbackServerContext*) override {
    return FileStream::Accept(loop_, [this](std::unique_ptr<FileStream> stream) {
      stream->Begin({.on_message = [this](const auto& input) { file_inputs.push_back(input); },
                     .on_inputs_end = [] {},
                     .on_ready = [] {},
                     .on_closed = [this](bool) { ++files_closed; }});
      files.push_back(std::move(stream));
    });
  }
  grpc::ServerUnaryReactor* Signal(grpc::CallbackServerContext*, const grpc::ByteBuffer* in,
                                   grpc::ByteBuffer* out) override {
    return rpc::OnLoop<capsem::v1::SignalRequest, capsem::v1::SignalResponse>(
        loop_, in, out, [this](const capsem::v1::SignalRequest& request, auto reply) {
          signals.push_back(request);
          reply(capsem::v1::SignalResponse());
        });
  }
  grpc::ServerUnaryReactor* Stop(grpc::CallbackServerContext*, const grpc::ByteBuffer* in,
                                 grpc::ByteBuffer* out) override {
    using capsem::process::v1::StopRequest;
    using capsem::process::v1::StopResponse;
    return rpc::OnLoop<StopRequest, StopResponse>(loop_, in, out,
                                                  [this](const StopRequest& request, auto reply) {
                                                    on_stop(request.grace_ms());
                                                    reply(StopResponse());
                                                  });
  }

  TestLoop& loop_;
};

}  // namespace capsem::service
