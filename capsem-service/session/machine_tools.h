// What a boot needs from the rest of the room, as functions: they answer on the loop, once, never
// before they return. app connects them to image/ and define/.
#pragma once

#include <absl/functional/any_invocable.h>

#include <chrono>
#include <string>
#include <vector>

#include "base/status.h"
#include "base/unique_fd.h"
#include "session/host_kind.h"
#include "supervise/machine_groups.h"
#include "wire/limits.h"

namespace capsem::service {

// An image's files, open and verified.
struct BootImage {
  std::string digest;
  UniqueFd kernel;
  UniqueFd initramfs;
  UniqueFd root;
};

struct MachineRequest {
  std::string session_id;
  std::string session_dir;
  std::string image_digest;
  uint32_t cpus = 0;
  uint32_t memory_mib = 0;
  HostKind host;
};

struct MachineTools {
  template <typename T>
  using Done = absl::AnyInvocable<void(StatusOr<T>)>;

  // capsem-process, proved to be the one that was built with this service; and QEMU is there.
  absl::AnyInvocable<void(Done<std::string>)> find_process;
  absl::AnyInvocable<void(const std::string& image, Done<BootImage>)> open_image;
  // An empty disk of that size in that folder, open for reading and writing. It appears whole, or
  // not at all.
  absl::AnyInvocable<void(const std::string& session_dir, uint32_t gib, Done<UniqueFd>)> make_disk;
  // QEMU's command line, with the holes that process.proto speaks of.
  absl::AnyInvocable<void(const MachineRequest&, Done<std::vector<std::string>>)> compile;
  MachineGroups* groups = nullptr;  // of cgroup v2, for machines to be born in; null: none are
  std::vector<std::string> process_env;
  bool test_rpcs = false;  // LaunchSpec.test_rpcs
  // How long a machine that starts now goes on without a service.
  absl::AnyInvocable<std::chrono::milliseconds() const> orphan_lease = [] {
    return wire::kOrphanLease;
  };
  // How much of a command's output waits for a reader, in a machine that starts now.
  absl::AnyInvocable<uint32_t() const> exec_spool_mib = [] {
    return static_cast<uint32_t>(wire::kExecSpool >> 20);
  };
};

}  // namespace capsem::service
