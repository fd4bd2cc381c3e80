// One run of capsem-define: domain XML in, libvirt's answer or the reason why there is none out.
// Owned by whoever wants the answer; loop thread. Destroying it ends the child.
//
// Started by root, the child runs as an unprivileged uid, which may enter neither our state folder
// nor perhaps the folder of the program: both are handed over as descriptors.
#pragma once

#include <absl/functional/any_invocable.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "base/child.h"
#include "base/status.h"
#include "base/timer.h"
#include "base/unique_fd.h"

namespace capsem::service {

struct DefineAnswer {
  std::string native;  // QEMU's command line as libvirt writes it
  std::string qemu_version;
  std::string libvirt_version;
  std::vector<std::string> files;  // that the answer depends on
};

class DefineRun {
 public:
  struct Spec {
    std::string program;  // capsem-define
    std::string root;     // libvirt's folder, made when it is not there; its cache stays in it
    std::string emulator;
    std::string xml;
    std::chrono::milliseconds limit;
  };
  using Done = absl::AnyInvocable<void(StatusOr<DefineAnswer>)>;

  // `done` comes once, from the loop, and may destroy the run.
  static StatusOr<std::unique_ptr<DefineRun>> Start(Loop& loop, Spec spec, Done done);

 private:
  DefineRun(Loop& loop, Spec spec, Done done);
  StatusOr<ChildSpec> PrepareChild();
  void OnExit(ExitReason reason);
  StatusOr<DefineAnswer> Answer(const ExitReason& reason) const;

  const Spec spec_;
  Done done_;
  bool over_time_ = false;
  // Memory files instead of pipes: nothing to read while the child runs, and a stray grandchild
  // that holds them open delays nobody.
  UniqueFd input_;
  UniqueFd output_;
  UniqueFd errors_;
  std::unique_ptr<Child> child_;
  Timer limit_;
};

}  // namespace capsem::service
