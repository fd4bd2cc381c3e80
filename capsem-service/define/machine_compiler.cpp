// The steps in the order of time: Compile, LookUp, (StartNext, OnDefined, Keep,) Finish.
#include "define/machine_compiler.h"

#include "base/log.h"
#include "define/argv_rules.h"
#include "define/domain_xml.h"

namespace capsem::service {
namespace {

// libvirt compiles the emulated machine only: a KVM that is present and broken would hold it up,
// and an unprivileged child may not open one. What KVM does differently is known (argv_rules.h).
MachineSpec CompiledShapeOf(const MachineSpec& spec) {
  MachineSpec shape = ShapeOf(spec);
  if (spec.accelerator == Accelerator::kTcg) return shape;
  const MachineSpec emulated = MakeMachineSpec(Accelerator::kTcg, HostCpu::kIntel);
  shape.accelerator = emulated.accelerator;
  shape.guest_aslr = emulated.guest_aslr;
  shape.cpu = emulated.cpu;
  return shape;
}

StatusOr<CompiledMachine> ForRequest(const CompiledShape& compiled, const MachineSpec& spec) {
  return CompiledMachine{TRY(ForSession(ForAccelerator(compiled.argv, spec), spec)),
                         DomainXml(spec), compiled.qemu_version, compiled.libvirt_version};
}

}  // namespace

MachineCompiler::MachineCompiler(Loop& loop, Options options)
    : loop_(loop), options_(std::move(options)) {}

void MachineCompiler::Compile(MachineSpec spec, Done done) {
  loop_.AssertOwned();
  const MachineSpec shape = CompiledShapeOf(spec);
  const std::string xml = DomainXml(shape);
  const auto [entry, is_new] = shapes_.try_emplace(xml);
  entry->second.waiting.push_back({std::move(spec), std::move(done)});
  if (!is_new) return;
  entry->second.spec = shape;
  LookUp(xml);
}

void MachineCompiler::LookUp(const std::string& xml) {
  const auto found = std::make_shared<std::optional<CompiledShape>>();
  loop_.RunBlocking(
      [found, xml, folder = options_.cache_folder + "/argv"] { *found = LoadShape(folder, xml); },
      [found, xml, self = weak_.Get()] {
        if (self) self->OnLookedUp(xml, std::move(*found));
      });
}

void MachineCompiler::OnLookedUp(const std::string& xml, std::optional<CompiledShape> cached) {
  if (cached) return Finish(xml, *std::move(cached));
  queue_.push_back(xml);
  if (!run_) StartNext();
}

void MachineCompiler::StartNext() {
  while (!queue_.empty()) {
    const std::string xml = std::move(queue_.front());
    queue_.pop_front();
    auto run = DefineRun::Start(
        loop_,
        {options_.program, options_.cache_folder + "/libvirt", shapes_.at(xml).spec.emulator, xml,
         options_.limit},
        [this, xml](StatusOr<DefineAnswer> answer) { OnDefined(xml, std::move(answer)); });
    if (run.ok()) {
      run_ = *std::move(run);
      return;
    }
    const Weak<MachineCompiler> self = weak_.Get();
    Finish(xml, Annotate(run.status(), "ask libvirt for a machine"));
    if (!self) return;
  }
}

void MachineCompiler::OnDefined(const std::string& xml, StatusOr<DefineAnswer> answer) {
  StatusOr<CompiledShape> compiled =
      answer.ok() ? Understand(xml, *answer) : StatusOr<CompiledShape>(answer.status());
  run_.reset();
  const Weak<MachineCompiler> self = weak_.Get();
  if (compiled.ok()) {
    Keep(xml, *std::move(compiled));
  } else {
    Finish(xml, compiled);
  }
  if (self) StartNext();
}

StatusOr<CompiledShape> MachineCompiler::Understand(const std::string& xml,
                                                    const DefineAnswer& answer) const {
  CompiledShape compiled{TRY(ArgvFromNative(answer.native, shapes_.at(xml).spec)),
                         answer.qemu_version, answer.libvirt_version, answer.files};
  compiled.files.push_back(options_.program);
  return compiled;
}

void MachineCompiler::Keep(const std::string& xml, CompiledShape compiled) {
  const auto kept = std::make_shared<const CompiledShape>(std::move(compiled));
  loop_.RunBlocking(
      [kept, xml, folder = options_.cache_folder + "/argv"] {
        // The machine runs all the same: only the next one of this shape is asked for anew.
        const Status stored = StoreShape(folder, xml, *kept);
        if (!stored.ok()) log::Warning("a compiled machine was not kept", {{"why", stored}});
      },
      [kept, xml, self = weak_.Get()] {
        if (self) self->Finish(xml, *kept);
      });
}

void MachineCompiler::Finish(const std::string& xml, const StatusOr<CompiledShape>& compiled) {
  // Taken out first: a callback may compile the same shape again, or destroy the compiler.
  std::vector<Request> waiting = std::move(shapes_.at(xml).waiting);
  shapes_.erase(xml);
  for (Request& request : waiting) {
    request.done(compiled.ok() ? ForRequest(*compiled, request.spec)
                               : StatusOr<CompiledMachine>(compiled.status()));
  }
}

}  // namespace capsem::service
