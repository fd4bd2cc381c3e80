#include "api/system_rpc.h"

#include <unistd.h>

#include <filesystem>

#include "base/clock.h"
#include "base/landlock.h"
#include "rpc/on_loop.h"
#include "session/admission.h"
#include "session/host_kind.h"
#include "session/host_limits.h"
#include "session/sentence.h"
#include "wire/limits.h"

namespace capsem::service {

using capsem::v1::LogsRequest;
using capsem::v1::ShutdownRequest;
using capsem::v1::ShutdownResponse;
using capsem::v1::StatusRequest;
using capsem::v1::StatusResponse;
using capsem::v1::VersionRequest;
using capsem::v1::VersionResponse;
using rpc::OnLoop;
using rpc::Reply;

SystemRpc::SystemRpc(Loop& loop, Host host)
    : loop_(loop), host_(std::move(host)), started_unix_ms_(Clock::WallMillis()) {}

SystemRpc::Unary* SystemRpc::Version(Context*, const Bytes* in, Bytes* out) {
  return OnLoop<VersionRequest, VersionResponse>(
      loop_, in, out, [](const VersionRequest&, Reply<VersionResponse> reply) {
        VersionResponse response;
        response.set_version(CAPSEM_VERSION);
        response.set_protocol_min(wire::kProtocolMin);
        response.set_protocol_max(wire::kProtocolMax);
        response.set_build("gcc " __VERSION__);
        reply(response);
      });
}

SystemRpc::Unary* SystemRpc::Status(Context*, const Bytes* in, Bytes* out) {
  return OnLoop<StatusRequest, StatusResponse>(
      loop_, in, out, [this](const StatusRequest&, Reply<StatusResponse> reply) {
        host_.kvm.Ask([this, reply = std::move(reply)](const KvmStatus::Answer& kvm) mutable {
          host_.qemu.Ask(
              [this, kvm, reply = std::move(reply)](const StatusOr<std::string>& qemu) mutable {
                reply(Describe(kvm, qemu));
              });
        });
      });
}

StatusResponse SystemRpc::Describe(const KvmStatus::Answer& kvm,
                                   const StatusOr<std::string>& qemu) {
  const HostKind kind{.kvm = kvm.usable};
  StatusResponse response;
  response.set_pid(static_cast<uint32_t>(getpid()));
  response.set_version(CAPSEM_VERSION);
  response.set_accelerator(kind.accelerator());
  response.set_isolation(kind.isolation());
  response.set_kvm(kvm.usable ? "usable" : kvm.reason);
  response.set_sessions_running(static_cast<uint32_t>(host_.table.running()));
  response.set_sessions_limit(wire::kMaxRunningSessions);
  response.set_state_dir(host_.dirs.state);
  response.set_runtime_dir(host_.dirs.runtime);
  response.set_disk_free(MeasureHost(host_.dirs.Sessions()).disk_free);
  const int landlock = LandlockAbi();
  response.set_limits(LimitsOf(landlock));
  response.set_started_unix_ms(started_unix_ms_);
  response.set_gateway(host_.gateway());
  if (qemu.ok()) {
    response.set_qemu_version(*qemu);
  } else {
    response.add_problems(Sentence(qemu.status()));
  }
  if (!std::filesystem::exists(host_.dirs.Images() + "/base")) {
    response.add_problems("there is no image called base (build it: `capsem image build`)");
  }
  if (std::string problem = LandlockProblem(landlock); !problem.empty())
    response.add_problems(std::move(problem));
  if (const auto disk = AdmitDisk(response.disk_free()); !disk.ok())
    response.add_problems(Sentence(disk));
  for (const std::string& damaged : Registry::SetAside(host_.dirs.Registry())) {
    response.add_problems(fmt::format(
        "the registry of sessions was damaged: it is kept as {}, and a new one was begun (sessions "
        "with a disk are there as failed ones, without their names: `capsem start ID`, `capsem "
        "rename ID NAME`; delete that file when you need it no longer)",
        damaged));
  }
  return response;
}

grpc::ServerWriteReactor<grpc::ByteBuffer>* SystemRpc::Logs(Context*, const Bytes* in) {
  return LogStream::Stream::Accept<LogsRequest>(
      loop_, in, [this](const LogsRequest& request, std::unique_ptr<LogStream::Stream> stream) {
        OnLogs(request, std::move(stream));
      });
}

void SystemRpc::OnLogs(const LogsRequest& request, std::unique_ptr<LogStream::Stream> stream) {
  auto files = FilesOf(request);
  if (!files.ok()) return stream->Finish(files.status());
  const auto place = logs_.emplace(logs_.end());
  *place = std::make_unique<LogStream>(loop_, std::move(stream), [this, place] {
    loop_.Post([self = weak_.Get(), place] {
      if (self) self->logs_.erase(place);
    });
  });
  (*place)->Start(*std::move(files), request.tail());
}

StatusOr<std::vector<std::string>> SystemRpc::FilesOf(const LogsRequest& request) {
  auto source = request.source();
  if (source == capsem::v1::LOG_SOURCE_UNSPECIFIED) {
    source =
        request.session().empty() ? capsem::v1::LOG_SOURCE_SERVICE : capsem::v1::LOG_SOURCE_PROCESS;
  }
  if (source == capsem::v1::LOG_SOURCE_SERVICE) {
    if (!host_.logs_to_stderr) return std::vector<std::string>{host_.dirs.ServiceLog()};
    return WithRemedy(FailedPrecondition("the service runs in the foreground and keeps no log"),
                      "look at its terminal");
  }
  const std::string dir = TRY(host_.table.Find(request.session()))->dir + "/";
  if (source == capsem::v1::LOG_SOURCE_PROCESS) {
    return std::vector<std::string>{dir + session_file::kProcessLog};
  }
  if (source == capsem::v1::LOG_SOURCE_SERIAL) {
    return std::vector<std::string>{dir + session_file::kSerialLogOld,
                                    dir + session_file::kSerialLog};
  }
  return WithRemedy(InvalidArgument("there is no log number {}", static_cast<int>(source)),
                    "ask for SERVICE, PROCESS or SERIAL");
}

SystemRpc::Unary* SystemRpc::Shutdown(Context*, const Bytes* in, Bytes* out) {
  return OnLoop<ShutdownRequest, ShutdownResponse>(
      loop_, in, out, [this](const ShutdownRequest&, Reply<ShutdownResponse> reply) {
        host_.shutdown([reply = std::move(reply)]() mutable { reply(ShutdownResponse()); });
      });
}

}  // namespace capsem::service
