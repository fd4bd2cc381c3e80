// From a MachineSpec to what starts it: QEMU's command line with its holes, and the domain XML that
// virsh understands. libvirt is asked once per shape and host: what it said is kept in the cache
// folder, and whoever asks for a shape while it is being compiled shares that run. Owned by app;
// loop thread.
#pragma once

#include <absl/functional/any_invocable.h>

#include <chrono>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/loop.h"
#include "base/status.h"
#include "base/weak.h"
#include "define/argv_cache.h"
#include "define/define_run.h"
#include "define/machine_spec.h"

namespace capsem::service {

struct CompiledMachine {
  std::vector<std::string> argv;  // argv[0] is the emulator; holes as argv_rules.h says
  std::string domain_xml;
  std::string qemu_version;
  std::string libvirt_version;
};

class MachineCompiler {
 public:
  struct Options {
    std::string program;       // capsem-define
    std::string cache_folder;  // exists; argv/ and libvirt/ are made in it
    // A first run asks QEMU what it can do: 2 s, or 10 on a busy host.
    std::chrono::milliseconds limit = std::chrono::seconds(60);
  };
  using Done = absl::AnyInvocable<void(StatusOr<CompiledMachine>)>;

  MachineCompiler(Loop& loop, Options options);

  // `done` comes once, from the loop; not at all when the compiler is destroyed first.
  // FailedPrecondition with a remedy: QEMU or libvirt is missing or cannot run such a machine.
  void Compile(MachineSpec spec, Done done);

 private:
  struct Request {
    MachineSpec spec;
    Done done;
  };
  // A shape on its way, by its XML, with whoever waits for it.
  struct Shape {
    MachineSpec spec;
    std::vector<Request> waiting;
  };

  void LookUp(const std::string& xml);
  void OnLookedUp(const std::string& xml, std::optional<CompiledShape> cached);
  void StartNext();
  void OnDefined(const std::string& xml, StatusOr<DefineAnswer> answer);
  StatusOr<CompiledShape> Understand(const std::string& xml, const DefineAnswer& answer) const;
  void Keep(const std::string& xml, CompiledShape compiled);
  void Finish(const std::string& xml, const StatusOr<CompiledShape>& compiled);

  Loop& loop_;
  const Options options_;
  std::map<std::string, Shape> shapes_;
  // One run at a time: libvirt locks its folder.
  std::deque<std::string> queue_;
  std::unique_ptr<DefineRun> run_;
  WeakOwner<MachineCompiler> weak_{this};
};

}  // namespace capsem::service
