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

using capsem::v1::ConfigRequest;
using capsem::v1::ConfigResponse;
using capsem::v1::LogsRequest;
using capsem::v1::ShutdownRequest;
using capsem::v1::ShutdownResponse;
using capsem::v1::StatusRequest;
using capsem::v1::StatusResponse;
using capsem::v1::VersionRequest;
using capsem::v1::VersionResponse;
using rpc::OnLoop;
using rpc::Reply;

namespace {

void Fill(const Setting& setting, capsem::v1::Setting& out) {
  const bool configured = setting.origin == Setting::Origin::kConfig;
  out.set_key(std::string(setting.key->name));
  out.set_value(setting.value);
  out.set_origin(setting.locked() ? capsem::v1::Setting::ORIGIN_CORP
                 : configured     ? capsem::v1::Setting::ORIGIN_CONFIG
                                  : capsem::v1::Setting::ORIGIN_DEFAULT);
  out.set_locked(setting.locked());
  out.set_place(setting.place);
  out.set_ignored(setting.ignored);
  out.set_range(setting.key->Range());
  out.set_help(std::string(setting.key->help));
  out.set_applies(std::string(setting.key->applies));
}

}  // namespace

SystemRpc::SystemRpc(Loop& loop, Host host)
    : loop_(loop), host_(std::move(host)), started_unix_ms_(Clock::WallMillis()) {
  ticket_ = host_.table.Observe([this](SessionTable::Kind kind, const capsem::v1::Session& it) {
    if (kind != capsem::v1::SessionEvent::KIND_DELETED) return;
    for (auto& log : logs_)
      if (log->session() == it.id()) log->End();
  });
}

SystemRpc::~SystemRpc() { host_.table.Forget(ticket_); }

void SystemRpc::EndLogs() {
  for (auto& log : logs_) log->End();
}

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
  response.set_sessions_limit(host_.settings.values.max_running);
  response.set_state_dir(host_.dirs.state);
  response.set_runtime_dir(host_.dirs.runtime);
  response.set_disk_free(MeasureHost(host_.dirs.Sessions()).disk_free);
  const int landlock = LandlockAbi();
  response.set_limits(LimitsOf(landlock));
  for (std::string& gap : LandlockGaps(landlock)) response.add_gaps(std::move(gap));
  response.set_cgroup(host_.cgroup);
  response.set_started_unix_ms(started_unix_ms_);
  response.set_gateway(host_.gateway());
  if (qemu.ok()) {
    response.set_qemu_version(*qemu);
  } else {
    response.add_problems(Sentence(qemu.status()));
  }
  AddProblems(kind, response);
  return response;
}

// What would keep a session with nothing special about it from starting.
void SystemRpc::AddProblems(HostKind kind, StatusResponse& response) {
  const Settings& settings = host_.settings.values;
  if (!std::filesystem::exists(host_.dirs.Images() + "/" + settings.default_image)) {
    response.add_problems(
        fmt::format("there is no image called {0} (build it: `capsem image build --name {0}`)",
                    settings.default_image));
  }
  for (const auto& refused :
       {AdmitIsolation(kind, host_.settings), AdmitDisk(response.disk_free(), host_.settings)}) {
    if (!refused.ok()) response.add_problems(Sentence(refused));
  }
  if (std::string problem = LandlockProblem(LandlockAbi()); !problem.empty())
    response.add_problems(std::move(problem));
  if (const auto& why = host_.table.unrecorded(); !why.ok()) {
    response.add_problems(fmt::format(
        "what changes in sessions cannot be recorded, and is not known after a crash: {}",
        Sentence(why)));
  }
  for (const std::string& damaged : Registry::SetAside(host_.dirs.Registry())) {
    response.add_problems(fmt::format(
        "the registry of sessions was damaged: it is kept as {}, and a new one was begun (sessions "
        "with a disk are there as failed ones, without their names: `capsem start ID`, `capsem "
        "rename ID NAME`; delete that file when you need it no longer)",
        damaged));
  }
}

SystemRpc::Unary* SystemRpc::Config(Context*, const Bytes* in, Bytes* out) {
  return OnLoop<ConfigRequest, ConfigResponse>(
      loop_, in, out, [this](const ConfigRequest&, Reply<ConfigResponse> reply) {
        ConfigResponse response;
        for (const Setting& setting : host_.settings.list) Fill(setting, *response.add_settings());
        response.set_config_file(host_.settings.files.config);
        response.set_corp_file(host_.settings.files.corp);
        reply(response);
      });
}

grpc::ServerWriteReactor<grpc::ByteBuffer>* SystemRpc::Logs(Context*, const Bytes* in) {
  return LogStream::Stream::Accept<LogsRequest>(
      loop_, in, [this](const LogsRequest& request, std::unique_ptr<LogStream::Stream> stream) {
        OnLogs(request, std::move(stream));
      });
}

void SystemRpc::OnLogs(const LogsRequest& request, std::unique_ptr<LogStream::Stream> stream) {
  auto spec = SpecOf(request);
  if (!spec.ok()) return stream->Finish(spec.status());
  const auto place = logs_.emplace(logs_.end());
  *place = std::make_unique<LogStream>(loop_, std::move(stream), *std::move(spec), [this, place] {
    loop_.Post([self = weak_.Get(), place] {
      if (self) self->logs_.erase(place);
    });
  });
  (*place)->Start();
}

StatusOr<LogStream::Spec> SystemRpc::SpecOf(const LogsRequest& request) {
  LogStream::Spec spec;
  spec.lines = request.tail();
  spec.follow = request.follow();
  auto source = request.source();
  if (source == capsem::v1::LOG_SOURCE_UNSPECIFIED) {
    source =
        request.session().empty() ? capsem::v1::LOG_SOURCE_SERVICE : capsem::v1::LOG_SOURCE_PROCESS;
  }
  const bool of_service = source == capsem::v1::LOG_SOURCE_SERVICE;
  if (of_service && host_.logs_to_stderr) {
    return WithRemedy(FailedPrecondition("the service runs in the foreground and keeps no log"),
                      "look at its terminal");
  }
  if (of_service) spec.path = host_.dirs.ServiceLog();
  if (of_service && request.session().empty()) return spec;
  const SessionSlot& slot = *TRY(host_.table.Find(request.session()));
  spec.session = slot.session.id().text();
  if (of_service) {
    spec.word = fmt::format(R"("session":"{}")", spec.session);
    return spec;
  }
  if (source == capsem::v1::LOG_SOURCE_PROCESS) {
    spec.path = slot.dir + "/" + session_file::kProcessLog;
    return spec;
  }
  if (source == capsem::v1::LOG_SOURCE_SERIAL) {
    spec.path = slot.dir + "/" + session_file::kSerialLog;
    return spec;
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
