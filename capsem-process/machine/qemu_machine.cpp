#include "machine/qemu_machine.h"

#include <sys/socket.h>

#include <utility>

#include "base/byte_stream.h"
#include "base/log.h"
#include "machine/guest_ram.h"
#include "wire/run_dir.h"

namespace capsem::process {
namespace {

// QEMU's start to its first answer: 60 ms on an idle host; a host that needs this long is not
// usable.
constexpr std::chrono::seconds kGreetLimit{60};
// After the guest's end QEMU flushes the disk; a disk that takes longer has lost the host's favour.
constexpr std::chrono::seconds kLeaveLimit{10};
// Bytes, which the kernel doubles and bounds (net.core.wmem_max). It charges each send of QEMU, of
// one byte, with 768: of such sends 2730 fit, or 554 where the bound is Debian's.
constexpr int kConsoleBuffer = 1024 * 1024;

int64_t MillisSince(Clock::TimePoint begin) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(Clock::Now() - begin).count();
}

}  // namespace

StatusOr<std::unique_ptr<QemuMachine>> QemuMachine::Create(Loop& loop, QemuSpec spec,
                                                           Events events) {
  std::unique_ptr<QemuMachine> machine(new QemuMachine(loop, std::move(spec), std::move(events)));
  TRY(machine->MakeEnds());
  return machine;
}

QemuMachine::QemuMachine(Loop& loop, QemuSpec spec, Events events)
    : loop_(loop), spec_(std::move(spec)), events_(std::move(events)), leave_limit_(loop) {}

QemuMachine::~QemuMachine() = default;

// What QEMU is given by us beside the files: its memory, and an end of each socket.
Status QemuMachine::MakeEnds() {
  spec_.files["ram"] = TRY(CreateGuestRam(spec_.memory_bytes));
  auto [monitor, qmp] = TRY(SocketPair());
  monitor_end_ = std::move(monitor);
  spec_.files["qmp"] = std::move(qmp);
  auto [console, serial] = TRY(SocketPair());
  // What it does not take QEMU has to try again.
  setsockopt(serial.get(), SOL_SOCKET, SO_SNDBUF, &kConsoleBuffer, sizeof kConsoleBuffer);
  spec_.files["serial"] = std::move(serial);
  serial_ = TRY(SerialRing::Create(
      loop_, std::move(console),
      {.path = fmt::format("{}/{}", spec_.serial_log_dir, session_file::kSerialLog)}));
  facts_.console = &serial_->tail();
  return OkStatus();
}

void QemuMachine::Boot(UniqueFd vsock_end, Done done) {
  ENSURE(boot_done_ == nullptr && child_ == nullptr);
  boot_began_ = Clock::Now();
  vsock_end_ = std::move(vsock_end);
  if (Status status = Spawn(); !status.ok()) {
    loop_.Post([done = std::move(done), status]() mutable { done(status); });
    return;
  }
  boot_done_ = std::move(done);
  Greet();
}

Status QemuMachine::Spawn() {
  child_ = TRY(QemuChild::Spawn(loop_,
                                {.argv = spec_.argv,
                                 .files = std::move(spec_.files),
                                 .cwd = spec_.serial_log_dir,
                                 .filter = std::move(spec_.filter)},
                                [this](ExitReason reason) { OnExit(reason); }));
  facts_.stderr_tail = &child_->stderr_tail();
  qmp_ = std::make_unique<QmpClient>(
      loop_, std::move(monitor_end_),
      QmpClient::Events{[this](const QmpEvent& event) { OnMonitorEvent(event); },
                        [this](const Status& status) { OnMonitorEnd(status); }});
  plug_ = std::make_unique<VsockPlug>(loop_, *qmp_);
  return OkStatus();
}

void QemuMachine::Greet() {
  qmp_->Execute({.name = "qmp_capabilities", .limit = kGreetLimit},
                [this](const StatusOr<QmpFields>& answer) {
                  if (!answer.ok()) return FailBoot(answer.status());
                  PlugFirst();
                });
}

// Before the guest's first instruction, so that it finds the device where it looks for it.
void QemuMachine::PlugFirst() {
  plug_->Plug(std::move(vsock_end_), [this](const Status& status) {
    if (!status.ok()) return FailBoot(Annotate(status, "plug the vsock device in"));
    StartGuest();
  });
}

void QemuMachine::StartGuest() {
  if (const Status ready = events_.before_run(); !ready.ok()) return FailBoot(ready);
  Command("cont", [this](const Status& status) {
    if (!status.ok()) return FailBoot(status);
    FinishBoot();
  });
}

void QemuMachine::FinishBoot() {
  log::Info("the guest runs", {{"pid", pid()}, {"ms_since_spawn", MillisSince(boot_began_)}});
  Done done = std::exchange(boot_done_, nullptr);  // it may destroy this
  done(OkStatus());
}

// The answer waits for QEMU's end: no process is left, and how it ended may be the better reason.
void QemuMachine::FailBoot(Status status) {
  // One that closes its monitor leaves by itself (OnMonitorEnd waits for that): let it say why.
  if (!absl::IsUnavailable(status)) child_->Kill();
  boot_failure_ = std::move(status);
}

void QemuMachine::Kill(const std::string& why) {
  if (child_ == nullptr || !child_->running()) return;
  // A QEMU that has closed its monitor is on its way out by itself, and that is the reason to tell.
  if (!qmp_->PeerGone()) facts_.killed = why;
  child_->Kill();
}

void QemuMachine::Pause(Done done) { Command("stop", std::move(done)); }

void QemuMachine::Resume(Done done) { Command("cont", std::move(done)); }

void QemuMachine::PlugVsock(UniqueFd vsock_end, Done done) {
  plug_->Plug(std::move(vsock_end), std::move(done));
}

void QemuMachine::UnplugVsock(Done done) { plug_->Unplug(std::move(done)); }

pid_t QemuMachine::pid() const {
  return child_ != nullptr && child_->running() ? child_->pid() : 0;
}

void QemuMachine::Command(std::string name, Done done) {
  qmp_->Execute({.name = std::move(name)},
                [done = std::move(done)](const StatusOr<QmpFields>& answer) mutable {
                  done(answer.status());
                });
}

void QemuMachine::OnMonitorEvent(const QmpEvent& event) {
  log::Debug("QEMU's event", {{"name", CleanLine(event.name)}});
  if (event.name == "SHUTDOWN") {
    // The first tells why; a second one answers our own `quit`.
    if (facts_.shutdown.empty()) facts_.shutdown = event.Get("reason");
    ExpectEnd("QEMU did not leave after its guest's end");
  } else if (event.name == "GUEST_PANICKED") {
    facts_.panicked = true;
    ExpectEnd("QEMU did not leave after its guest's panic");
  } else if (event.name == "BLOCK_IO_ERROR") {
    OnBlockError(event);
  } else if (event.name == "RESUME") {
    stalled_ = false;
  } else {
    plug_->OnEvent(event);
  }
}

// Told once for as long as the guest stands still, however many requests failed.
void QemuMachine::OnBlockError(const QmpEvent& event) {
  if (event.Get("action") != "stop" || std::exchange(stalled_, true)) return;
  const std::string why = CleanLine(event.Get("reason"));
  if (event.Get("nospace") == "true") {
    return events_.on_stalled(
        WithRemedy(ResourceExhausted("the host's disk is full, so the session stands still"),
                   "free some space: it goes on by itself"));
  }
  events_.on_stalled(Internal("the host could not serve the session's disk: {}", why));
}

// While a child runs, its monitor ends only because it leaves, or because it says what is no QMP.
void QemuMachine::OnMonitorEnd(const Status& status) {
  plug_->Lost(status);
  if (absl::IsUnavailable(status)) return ExpectEnd("QEMU closed its monitor and did not leave");
  facts_.broken = Message(status);
  child_->Kill();
}

void QemuMachine::ExpectEnd(std::string otherwise) {
  if (!child_->running() || leave_limit_.active()) return;
  // For a QEMU that stays when its guest has ended (-no-shutdown).
  Command("quit", [](const Status&) {});
  leave_limit_.Start(kLeaveLimit, [this, otherwise = std::move(otherwise)] {
    facts_.broken = otherwise;
    child_->Kill();
  });
}

void QemuMachine::OnExit(ExitReason reason) {
  facts_.process = reason;
  leave_limit_.Cancel();
  // Both may end verbs of our owner, which may destroy this.
  const auto self = weak_.Get();
  serial_->Drain();
  qmp_->Drain();
  if (!self) return;
  const Exit exit = Judge(facts_);
  if (boot_done_ == nullptr) {
    auto on_exit = std::move(events_.on_exit);  // it may destroy this
    return on_exit(exit);
  }
  // A step that failed because QEMU went is explained by how it went.
  const bool explained = boot_failure_.ok() || absl::IsUnavailable(boot_failure_);
  Done done = std::exchange(boot_done_, nullptr);
  done(explained ? Unavailable("{}", exit.reason) : boot_failure_);
}

}  // namespace capsem::process
