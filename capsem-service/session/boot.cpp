#include "session/boot.h"

#include <utility>

#include "session/session_dir.h"
#include "wire/limits.h"
#include "wire/proof.h"
#include "wire/run_dir.h"

namespace capsem::service {

using capsem::process::v1::LaunchSpec;

namespace {

void AddHole(LaunchSpec& spec, const char* name, LaunchSpec::Hole::Kind kind) {
  LaunchSpec::Hole* hole = spec.add_holes();
  hole->set_name(name);
  hole->set_kind(kind);
}

// What went wrong inside, of which nobody knew what helps: where to look, at least.
Status WithHelp(const Status& status) {
  if (status.code() == StatusCode::kCancelled || !Remedy(status).empty()) return status;
  return WithRemedy(
      status, "`capsem status` says what is missing on this host, `capsem logs` what happened");
}

}  // namespace

Boot::Boot(Loop& loop, SessionSlot& slot, MachineTools& tools, Events events)
    : loop_(loop), slot_(slot), tools_(tools), events_(std::move(events)) {}

void Boot::Start() {
  loop_.Post([self = weak_.Get()] {
    if (self) self->MakeFolder();
  });
}

void Boot::Cancel() {
  cancelled_ = true;
  // The last step waits for the process, not for a pool thread: it ends when that does.
  if (slot_.process) slot_.process->Kill();
}

template <typename T>
absl::AnyInvocable<void(StatusOr<T>)> Boot::Then(void (Boot::*next)(T)) {
  return [self = weak_.Get(), next](StatusOr<T> result) {
    if (!self) return;
    if (self->cancelled_) return self->Fail(Cancelled("it was ended while it was starting"));
    if (!result.ok()) return self->Fail(result.status());
    (self.get()->*next)(*std::move(result));
  };
}

void Boot::MakeFolder() {
  if (cancelled_) return Fail(Cancelled("it was ended while it was starting"));
  const Status made = MakeSessionDir(slot_.dir);
  const bool is_there = made.code() == StatusCode::kAlreadyExists && slot_.recorded;
  if (!made.ok() && !is_there) return Fail(made);
  folder_made_ = !slot_.recorded;
  FindProcess();
}

void Boot::FindProcess() { tools_.find_process(Then<std::string>(&Boot::OpenImage)); }

void Boot::OpenImage(std::string process_program) {
  process_program_ = std::move(process_program);
  // Its disk lies over the image that it began with, whatever that image's name has come to mean.
  const SessionRecord& record = slot_.session.record();
  tools_.open_image(record.image_digest.empty() ? record.image : record.image_digest,
                    Then<BootImage>(&Boot::TakeImage));
}

void Boot::TakeImage(BootImage image) {
  image_ = std::move(image);
  slot_.session.set_image_digest(image_.digest);
  started_ = true;
  const auto self = weak_.Get();
  events_.on_started();
  if (self) MakeDisk();
}

void Boot::MakeDisk() {
  StatusOr<UniqueFd> disk = OpenSessionDisk(slot_.dir);
  if (disk.ok()) return TakeDisk(*std::move(disk));
  if (disk.status().code() != StatusCode::kNotFound) return Fail(disk.status());
  const Session& it = slot_.session;
  if (it.record().used) {
    return Fail(WithRemedy(DataLoss("the disk of session {} is gone: {}/{}", it.label(), slot_.dir,
                                    session_file::kDisk),
                           fmt::format("put it back, or `capsem delete {}`", it.label())));
  }
  tools_.make_disk(slot_.dir, it.record().disk_gib, Then<UniqueFd>(&Boot::TakeDisk));
}

void Boot::TakeDisk(UniqueFd disk) {
  disk_ = std::move(disk);
  Compile();
}

void Boot::Compile() {
  const SessionRecord& record = slot_.session.record();
  const MachineRequest request{record.id.text(), slot_.dir,         image_.digest,
                               record.cpus,      record.memory_mib, slot_.session.host()};
  tools_.compile(request, Then<std::vector<std::string>>(&Boot::Launch));
}

LaunchSpec Boot::MakeLaunchSpec(const std::vector<std::string>& argv) const {
  const SessionRecord& record = slot_.session.record();
  LaunchSpec launch;
  launch.set_session_id(record.id.text());
  if (record.name) launch.set_session_name(record.name->text());
  launch.set_session_dir(slot_.dir);
  launch.mutable_qemu_argv()->Assign(argv.begin(), argv.end());
  AddHole(launch, "ram", LaunchSpec::Hole::KIND_RAM);
  AddHole(launch, "qmp", LaunchSpec::Hole::KIND_QMP);
  AddHole(launch, "serial", LaunchSpec::Hole::KIND_SERIAL);
  launch.set_memory_bytes(uint64_t{record.memory_mib} << 20);
  launch.set_accelerator(slot_.session.host().accelerator());
  for (const auto& [key, value] : record.env) {
    LaunchSpec::EnvEntry* entry = launch.add_env();
    entry->set_key(key);
    entry->set_value(value);
  }
  launch.set_test_rpcs(tools_.test_rpcs);
  launch.set_secret(record.secret);
  launch.set_keep(slot_.session.persistent());
  // A bound session ends with its call, and that with us.
  const bool outlives_us = record.kind != SessionKind::kBound;
  launch.set_orphan_lease_ms(outlives_us ? static_cast<uint32_t>(tools_.orphan_lease().count())
                                         : 0);
  launch.set_exec_spool_mib(tools_.exec_spool_mib());
  return launch;
}

void Boot::Launch(std::vector<std::string> argv) {
  ProcessSpec spec;
  spec.program = process_program_;
  spec.env = tools_.process_env;
  spec.launch = MakeLaunchSpec(argv);
  spec.files.push_back({"kernel", std::move(image_.kernel)});
  spec.files.push_back({"initrd", std::move(image_.initramfs)});
  spec.files.push_back({"root", std::move(image_.root)});
  spec.files.push_back({"disk", std::move(disk_), /*writable=*/true});
  const SessionRecord& record = slot_.session.record();
  if (tools_.groups != nullptr)
    spec.group = tools_.groups->Make({record.id.text(), record.cpus, record.memory_mib});
  // The events outlive this: what is theirs goes with them.
  auto process = ProcessHost::Launch(loop_, std::move(spec),
                                     {.on_listening =
                                          [self = weak_.Get()] {
                                            if (!self) return;
                                            self->listening_ = true;
                                            self->TakeOver();
                                          },
                                      .on_gone = std::move(events_.on_process_gone)});
  if (!process.ok()) return Fail(process.status());
  slot_.process = *std::move(process);
  slot_.session.set_cgroup(slot_.process->group_text());
  RecordProcess();
}

// Before anybody holds it, for it dies with us until then: whoever comes after us knows every
// process that does not.
void Boot::RecordProcess() {
  auto id = IdentifyProcess(slot_.process->pid());
  if (!id.ok()) return;  // its end is on the way
  slot_.session.set_process(*std::move(id));
  events_.on_launched([self = weak_.Get()](const Status& recorded) {
    if (self) self->OnRecorded(recorded);
  });
}

void Boot::OnRecorded(const Status& recorded) {
  recorded_ = recorded.ok();
  if (recorded_) return TakeOver();
  unrecorded_ = Annotate(recorded, "session {} is not recorded", slot_.session.label());
  if (slot_.process) slot_.process->Kill();
}

void Boot::TakeOver() {
  if (!listening_ || !recorded_ || cancelled_) return;  // the rest, or its end, is on the way
  slot_.client->Hold(std::move(events_.on_machine));
  slot_.client->Open(wire::ServiceProof(slot_.session.record().secret, slot_.session.id().text()));
  auto on_done = std::move(events_.on_done);
  on_done(OkStatus());
}

void Boot::OnProcessGone(const std::string& reason) {
  if (!unrecorded_.ok()) return Fail(unrecorded_);
  Fail(cancelled_ ? Cancelled("it was ended while it was starting") : Unavailable("{}", reason));
}

void Boot::Fail(const Status& status) {
  // A session that was never told of leaves nothing; of one that was, the logs say why it failed.
  if (folder_made_ && !started_) RemoveSessionDir(slot_.dir).IgnoreError();
  auto on_done = std::move(events_.on_done);
  on_done(WithHelp(status));
}

}  // namespace capsem::service
