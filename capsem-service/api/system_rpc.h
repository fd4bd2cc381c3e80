// Serves capsem.v1.System: one line per verb.
#pragma once

#include <absl/functional/any_invocable.h>

#include <functional>
#include <list>
#include <memory>
#include <string>

#include "api/log_stream.h"
#include "base/loop.h"
#include "base/weak.h"
#include "capsem/v1/system.grpc.pb.h"
#include "session/session_table.h"
#include "settings/settings.h"
#include "supervise/kvm_status.h"
#include "supervise/qemu_version.h"
#include "wire/run_dir.h"

namespace capsem::service {

using SystemBase = capsem::v1::System::WithRawCallbackMethod_Version<
    capsem::v1::System::WithRawCallbackMethod_Status<
        capsem::v1::System::WithRawCallbackMethod_Config<
            capsem::v1::System::WithRawCallbackMethod_Logs<
                capsem::v1::System::WithRawCallbackMethod_Shutdown<capsem::v1::System::Service>>>>>;

class SystemRpc final : public SystemBase {
 public:
  struct Host {
    const RunDir& dirs;
    SessionTable& table;
    KvmStatus& kvm;
    QemuVersion& qemu;
    const LoadedSettings& settings;
    std::string cgroup = {};  // MachineGroups::text
    bool logs_to_stderr = false;
    // Where the gateway listens, or why not.
    std::function<std::string()> gateway;
    // Ends every session; calls back when none is left, and takes the daemon down after that.
    absl::AnyInvocable<void(absl::AnyInvocable<void()> ended)> shutdown;
  };

  SystemRpc(Loop& loop, Host host);
  ~SystemRpc();
  SystemRpc(const SystemRpc&) = delete;
  SystemRpc& operator=(const SystemRpc&) = delete;

  // Logs that are followed end with what is there: the daemon is about to leave.
  void EndLogs();

 private:
  using Unary = grpc::ServerUnaryReactor;
  using Context = grpc::CallbackServerContext;
  using Bytes = grpc::ByteBuffer;

  Unary* Version(Context*, const Bytes* in, Bytes* out) override;
  Unary* Status(Context*, const Bytes* in, Bytes* out) override;
  Unary* Config(Context*, const Bytes* in, Bytes* out) override;
  grpc::ServerWriteReactor<Bytes>* Logs(Context*, const Bytes* in) override;
  Unary* Shutdown(Context*, const Bytes* in, Bytes* out) override;

  void OnLogs(const capsem::v1::LogsRequest& request, std::unique_ptr<LogStream::Stream> stream);
  StatusOr<LogStream::Spec> SpecOf(const capsem::v1::LogsRequest& request);
  capsem::v1::StatusResponse Describe(const KvmStatus::Answer& kvm,
                                      const StatusOr<std::string>& qemu);
  void AddProblems(HostKind kind, capsem::v1::StatusResponse& response);

  Loop& loop_;
  Host host_;
  const int64_t started_unix_ms_;
  std::list<std::unique_ptr<LogStream>> logs_;
  SessionTable::Ticket ticket_ = 0;
  WeakOwner<SystemRpc> weak_{this};
};

}  // namespace capsem::service
