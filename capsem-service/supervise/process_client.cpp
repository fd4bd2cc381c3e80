#include "supervise/process_client.h"

#include <deque>
#include <list>
#include <map>
#include <optional>

#include "base/log.h"
#include "base/timer.h"
#include "capsem/process/v1/process.grpc.pb.h"
#include "rpc/client_call.h"
#include "rpc/client_stream.h"
#include "rpc/endpoint.h"
#include "rpc/status_code.h"
#include "supervise/process_client_stream.h"
#include "wire/proof.h"

namespace capsem::service {

using capsem::process::v1::HoldRequest;
using capsem::process::v1::IntroduceRequest;
using capsem::process::v1::IntroduceResponse;
using capsem::process::v1::Machine;
using capsem::process::v1::MachineEvent;
using capsem::process::v1::SetKeepRequest;
using capsem::process::v1::SetKeepResponse;
using capsem::process::v1::StopRequest;
using capsem::process::v1::StopResponse;
using capsem::v1::ListExecsRequest;
using capsem::v1::ListExecsResponse;
using capsem::v1::SignalRequest;
using capsem::v1::SignalResponse;

namespace {

using Async = Machine::StubInterface::async_interface;

// A process whose connection broke is dead or dying, and its pidfd says so within milliseconds.
constexpr std::chrono::seconds kReasonLimit{1};
// On top of the grace that the guest gets: for the message, QEMU's end and the answer.
constexpr std::chrono::seconds kStopMargin{10};
constexpr std::chrono::seconds kSignalLimit{30};
// A process answers in milliseconds, many at once on a busy host in seconds; one that takes longer
// than its lease is not held in time anyway.
constexpr std::chrono::seconds kIntroduceLimit{15};

// What a caller sees of a process that went away in the middle of a call.
bool IsBroken(const Status& status) {
  return status.code() == StatusCode::kUnavailable || status.code() == StatusCode::kUnknown ||
         status.code() == StatusCode::kCancelled || status.code() == StatusCode::kInternal;
}

// Of an adopted process, which may be of an older version than this service.
bool IsUnknownThere(const Status& status) {
  return status.code() == StatusCode::kUnimplemented && rpc::IsGrpcsOwn(status);
}

}  // namespace

class ProcessClient::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(Loop& loop, std::string path) : loop_(loop), path_(std::move(path)) {}

  void Introduce(const std::string& nonce, Introduced done) {
    stub_ = Machine::NewStub(rpc::ConnectChannel(path_));
    IntroduceRequest request;
    request.set_nonce(nonce);
    rpc::CallUnary(loop_, stub_->async(), &Async::Introduce, request, {kIntroduceLimit},
                   std::move(done));
  }

  void Open(std::string proof) {
    if (closed_) return;
    proof_ = {{wire::kProofKey, std::move(proof)}};
    if (!stub_) stub_ = Machine::NewStub(rpc::ConnectChannel(path_));
    open_ = true;
    auto calls = std::exchange(queue_, {});
    for (Call& call : calls) call(OkStatus());
  }

  void Close(const Status& reason) {
    if (closed_) return;
    closed_ = reason;
    hold_ = nullptr;
    for (Call& call : std::exchange(queue_, {})) call(reason);
    for (Broken& broken : broken_) {
      loop_.Post([done = std::move(broken.done), reason]() mutable { done(reason); });
    }
    broken_.clear();
  }

  // Calls back with Ok when it is open: now, or in its turn after Open; or with why it will
  // never be.
  using Call = absl::AnyInvocable<void(const Status&)>;
  void WhenOpen(Call call) {
    if (closed_) return call(*closed_);
    if (open_) return call(OkStatus());
    queue_.push_back(std::move(call));
  }

  void Explain(Status status, Done done) {
    if (IsUnknownThere(status)) {
      return done(WithRemedy(Unimplemented("the session's machine was started by an older version "
                                           "of capsem, which does not know this call"),
                             "`capsem restart` gives a persistent session a machine of today; "
                             "what is on its disk stays"));
    }
    if (!IsBroken(status)) return done(status);
    if (closed_) return done(*closed_);
    const auto broken = broken_.emplace(broken_.end(), loop_, std::move(done));
    broken->limit.Start(kReasonLimit, [this, broken, status] {
      Done late = std::move(broken->done);
      broken_.erase(broken);
      late(status);
    });
  }

  template <typename Request, typename Response>
  void CallUnary(void (Async::*method)(grpc::ClientContext*, const Request*, Response*,
                                       std::function<void(grpc::Status)>),
                 const Request& request, std::chrono::milliseconds limit, Done done,
                 std::shared_ptr<Response> response = nullptr) {
    WhenOpen([self = shared_from_this(), method, request, limit, done = std::move(done),
              response](const Status& open) mutable {
      if (!open.ok()) {
        return self->loop_.Post([done = std::move(done), open]() mutable { done(open); });
      }
      rpc::CallUnary(
          self->loop_, self->stub_->async(), method, request, {limit, self->proof_},
          [self, done = std::move(done), response](const StatusOr<Response>& answer) mutable {
            if (!answer.ok()) return self->Explain(answer.status(), std::move(done));
            if (response) *response = *answer;
            done(OkStatus());
          });
    });
  }

  void Hold(OnMachine on_machine) {
    WhenOpen([this, on_machine = std::move(on_machine)](const Status& open) mutable {
      if (!open.ok()) return;
      hold_ =
          Reader::Start(loop_, stub_->async(), &Async::Hold, HoldRequest(), {.metadata = proof_},
                        {.on_message = std::move(on_machine),
                         .on_ready = [] {},
                         .on_closed = [](const Status&) {}});
    });
  }

  template <typename Stream>
  std::unique_ptr<Stream> Open(typename ProcessClientStream<Stream>::Method method,
                               typename Stream::Events events) {
    auto call = std::make_unique<ProcessClientStream<Stream>>(
        loop_, method, std::move(events), [self = weak_from_this()](Status status, Done done) {
          const auto client = self.lock();
          if (!client) return done(status);
          client->Explain(std::move(status), std::move(done));
        });
    WhenOpen([this, handle = call->weak()](const Status& open) {
      if (!handle) return;
      if (!open.ok()) return handle->Fail(open);
      handle->Start(*stub_, {.metadata = proof_});
    });
    return call;
  }

 private:
  using Reader = rpc::ClientReader<HoldRequest, MachineEvent>;
  struct Broken {
    Broken(Loop& loop, Done told) : done(std::move(told)), limit(loop) {}
    Done done;
    Timer limit;
  };

  Loop& loop_;
  const std::string path_;
  std::unique_ptr<Machine::Stub> stub_;  // null before Introduce and Open
  bool open_ = false;
  std::map<std::string, std::string> proof_;
  std::optional<Status> closed_;
  std::deque<Call> queue_;
  std::list<Broken> broken_;  // calls whose connection broke before the reason was known
  std::unique_ptr<Reader> hold_;
};

ProcessClient::ProcessClient(Loop& loop, std::string socket_path)
    : impl_(std::make_shared<Impl>(loop, std::move(socket_path))) {}

ProcessClient::~ProcessClient() { Close(Unavailable("the session is gone")); }

void ProcessClient::Introduce(const std::string& nonce, Introduced done) {
  impl_->Introduce(nonce, std::move(done));
}
void ProcessClient::Open(std::string proof) { impl_->Open(std::move(proof)); }
void ProcessClient::Close(const Status& reason) { impl_->Close(reason); }
void ProcessClient::Hold(OnMachine on_machine) { impl_->Hold(std::move(on_machine)); }

std::unique_ptr<ProcessExec> ProcessClient::Exec(ProcessExec::Events events) {
  return impl_->Open<ProcessExec>(&Async::Exec, std::move(events));
}

std::unique_ptr<ProcessExec> ProcessClient::Attach(ProcessExec::Events events) {
  return impl_->Open<ProcessExec>(&Async::Attach, std::move(events));
}

std::unique_ptr<ProcessFileCall> ProcessClient::File(ProcessFileCall::Events events) {
  return impl_->Open<ProcessFileCall>(&Async::File, std::move(events));
}

void ProcessClient::ListExecs(OnExecs done) {
  const auto list = std::make_shared<ListExecsResponse>();
  impl_->CallUnary<ListExecsRequest, ListExecsResponse>(
      &Async::ListExecs, {}, kSignalLimit,
      [list, done = std::move(done)](const Status& status) mutable {
        if (!status.ok()) return done(status);
        done(std::move(*list));
      },
      list);
}

void ProcessClient::Signal(const SignalRequest& request, Done done) {
  impl_->CallUnary<SignalRequest, SignalResponse>(&Async::Signal, request, kSignalLimit,
                                                  std::move(done));
}

void ProcessClient::SetKeep(bool keep) {
  SetKeepRequest request;
  request.set_keep(keep);
  impl_->CallUnary<SetKeepRequest, SetKeepResponse>(
      &Async::SetKeep, request, kSignalLimit, [](const Status& status) {
        // One that is gone keeps nothing; one that is of no use is ended by others.
        if (!status.ok()) log::Debug("a process was not told what to keep", {{"reason", status}});
      });
}

void ProcessClient::Stop(std::chrono::milliseconds grace, Done done) {
  StopRequest request;
  request.set_grace_ms(static_cast<uint32_t>(grace.count()));
  impl_->CallUnary<StopRequest, StopResponse>(&Async::Stop, request, grace + kStopMargin,
                                              std::move(done));
}

}  // namespace capsem::service
