// Builds every collaborator of the daemon once, in order; destroys them in reverse. The only place
// that knows all.
#pragma once

#include <absl/functional/any_invocable.h>

#include <map>
#include <memory>
#include <vector>

#include "api/execs_rpc.h"
#include "api/files_rpc.h"
#include "api/images_rpc.h"
#include "api/sessions_rpc.h"
#include "api/system_rpc.h"
#include "base/loop.h"
#include "base/status.h"
#include "config.h"
#include "define/host_tsc.h"
#include "define/machine_compiler.h"
#include "image/binary_manifest.h"
#include "image/empty_disk.h"
#include "image/image_store.h"
#include "rpc/endpoint.h"
#include "session/naming.h"
#include "session/session_table.h"
#include "session/sessions.h"
#include "store/registry.h"
#include "supervise/companion.h"
#include "supervise/kvm_status.h"
#include "supervise/machine_groups.h"
#include "supervise/qemu_version.h"

namespace capsem::service {

class App {
 public:
  // Serves when it returns. The caller holds the lock that makes this the only service of its
  // folders.
  static StatusOr<std::unique_ptr<App>> Create(Loop& loop, const Config& config,
                                               LoadedSettings settings);
  App(const App&) = delete;
  App& operator=(const App&) = delete;

  // Reads the configuration again. A bad one changes nothing and is logged.
  void Reload();
  // Leaves the machines to the next service, or to the end of their lease; answers what is open,
  // then stops the loop.
  void HandOver();
  // Ends every session, tells `ended`, answers what is still open, then stops the loop.
  void End(absl::AnyInvocable<void()> ended);

 private:
  App(Loop& loop, const Config& config, LoadedSettings settings,
      std::unique_ptr<Registry> registry);
  EmptyDisk& DiskOf(uint32_t gib);
  MachineTools Tools();
  CompanionSpec GatewaySpec();
  BinaryPaths Binaries() const;
  void OnAllEnded();

  Loop& loop_;
  const Config config_;
  LoadedSettings settings_;
  bool ending_ = false;
  std::vector<absl::AnyInvocable<void()>> ended_;
  std::unique_ptr<Registry> registry_;
  HostTsc tsc_;
  KvmStatus kvm_;
  QemuVersion qemu_;
  ImageStore images_;
  std::map<uint32_t, EmptyDisk> disks_;  // by GiB; few, for only who configures makes another
  MachineCompiler compiler_;
  MachineGroups groups_;
  SessionTable table_;
  Sessions sessions_;
  Naming naming_;
  SessionsRpc sessions_rpc_;
  ExecsRpc execs_rpc_;
  FilesRpc files_rpc_;
  ImagesRpc images_rpc_;
  SystemRpc system_rpc_;
  Companion gateway_;
  std::unique_ptr<rpc::ServerEndpoint> endpoint_;
};

}  // namespace capsem::service
