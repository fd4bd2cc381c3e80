#include "app.h"

#include <unistd.h>
#include <chrono>
#include <utility>

#include "base/log.h"
#include "base/small_file.h"
#include "confine/confine.h"
#include "confine/syscall_filter.h"
#include "machine/qemu_machine.h"
#include "wire/run_dir.h"

namespace capsem::process {
namespace {

// A guest that has not come up by then is not coming: a cold boot takes 3-4 s emulated (findings),
// four at once on two busy cores about six times that.
constexpr std::chrono::seconds kBootLimit{120};
// QEMU closes its sockets and exits within milliseconds of each other, also on a busy host.
constexpr std::chrono::seconds kLostLimit{2};
// What a guest gets to power off when nobody waits for it any more: as long as `capsem stop` gives.
constexpr uint32_t kLeaseStopGraceMs = 10'000;
// How long the last words to those who hold this process may take.
constexpr std::chrono::seconds kLeaveLimit{1};
// A guest that stands still for want of disk tries again so often: what failed is kept, and costs
// nothing.
constexpr std::chrono::seconds kStallRetry{2};

Status SayListening(UniqueFd pipe) {
  constexpr std::string_view kWord = "listening\n";
  if (write(pipe.get(), kWord.data(), kWord.size()) < 0) return FromErrno("tell the service");
  return OkStatus();
}

}  // namespace

StatusOr<std::unique_ptr<App>> App::Create(Loop& loop, Config config) {
  std::unique_ptr<App> app(new App(loop, std::move(config)));
  TRY(app->Start());
  return app;
}

App::App(Loop& loop, Config config)
    : loop_(loop),
      config_(std::move(config)),
      keep_(config_.launch.keep()),
      door_(config_.launch.secret(), config_.launch.session_id()),
      lease_(loop, std::chrono::milliseconds(config_.launch.orphan_lease_ms()),
             [this] { OnLeaseOver(); }),
      bulk_(loop),
      boot_limit_(loop),
      stop_limit_(loop),
      lost_limit_(loop),
      stall_retry_(loop),
      leave_limit_(loop) {}

Status App::Start() {
  parent_ = TRY(ParentWatch::Create(loop_, config_.parent, [this] { lease_.ParentGone(); }));
  GuestIdentity identity{config_.launch.session_id(), config_.launch.session_name(), {}};
  for (const auto& entry : config_.launch.env()) identity.env[entry.key()] = entry.value();
  SpoolPlace spools{config_.launch.session_dir() + "/" + session_file::kSpools};
  if (const uint32_t mib = config_.launch.exec_spool_mib(); mib != 0)
    spools.bytes = size_t{mib} << 20;
  guest_ =
      std::make_unique<GuestSession>(loop_, std::move(identity), std::move(spools), GuestEvents());
  port_ = std::make_unique<VsockPort>(loop_, PortEvents());
  TRY(StartMachine());
  return Serve();
}

Status App::StartMachine() {
  const auto& launch = config_.launch;
  QemuSpec spec;
  spec.argv.assign(launch.qemu_argv().begin(), launch.qemu_argv().end());
  spec.files = std::move(config_.files);
  spec.memory_bytes = launch.memory_bytes();
  spec.serial_log_dir = launch.session_dir();
  spec.filter = TRY(QemuFilter());
  machine_ = TRY(QemuMachine::Create(loop_, std::move(spec), MachineEvents()));
  replug_ = std::make_unique<Replug>(*machine_, *port_, *guest_,
                                     launch.session_dir() + "/" + session_file::kLinkState);
  machine_->Boot(TRY(port_->MakeDevice()), [this](Status status) {
    if (!status.ok()) End({false, Describe(status)});
  });
  boot_limit_.Start(kBootLimit, [this] {
    End({false, fmt::format("the guest did not come up within {} s", kBootLimit.count())});
  });
  return OkStatus();
}

Machine::Events App::MachineEvents() {
  return {
      // Boot is answered from the loop, so the endpoint is there.
      .before_run = [this] { return ConfineSelf(endpoint_->listener(), machine_->pid()); },
      .on_exit = [this](Machine::Exit exit) { OnMachineExit(std::move(exit)); },
      .on_stalled = [this](const Status& why) { OnStalled(why); },
  };
}

Status App::Serve() {
  rpc_ = std::make_unique<ProcessRpc>(loop_, life_, *guest_, door_, Verbs());
  endpoint_ = TRY(rpc::ServerEndpoint::Listen(
      loop_, config_.launch.session_dir() + "/" + session_file::kProcessSocket, {rpc_.get()}));
  return SayListening(std::move(config_.ready_pipe));
}

ProcessVerbs App::Verbs() {
  return {
      .stop = [this](uint32_t grace_ms,
                     absl::AnyInvocable<void(Status)> done) { Stop(grace_ms, std::move(done)); },
      .replug =
          [this](const Replug::Request& request, Replug::Done done) {
            if (!config_.launch.test_rpcs()) {
              return done(FailedPrecondition("Replug is for tests, and this machine is none"));
            }
            life_.WhenReady([this, request, done = std::move(done)](Status ready) mutable {
              if (!ready.ok()) return done(ready);
              replug_->Run(request, std::move(done));
            });
          },
      .machine_pid =
          [this] { return machine_ == nullptr ? 0u : static_cast<uint32_t>(machine_->pid()); },
      .set_keep = [this](bool keep) { keep_ = keep; },
      .on_held = [this] { lease_.Hold(); },
      .on_released = [this] { lease_.Release(); },
      .on_idle = [this] { LeaveWhenIdle(); },
  };
}

GuestSession::Events App::GuestEvents() {
  return {
      .on_configured =
          [this] {
            boot_limit_.Cancel();
            life_.Ready();
          },
      .on_powering_off = [this] { life_.Drain(); },
      .on_broken =
          [this](Status why) {
            End({false, std::string(Message(why))});
          },
      .on_up = [this] { replug_->OnLinkUp(); },
  };
}

VsockPort::Events App::PortEvents() {
  VsockPort::Events events{
      .on_connection = [this](UniqueFd fd) { guest_->Adopt(std::move(fd)); },
      .on_lost = [this](Status why) { OnDeviceLost(why); },
  };
  if (config_.launch.test_rpcs()) {
    events.on_bulk = [this](uint32_t port, UniqueFd fd) { bulk_.Adopt(port, std::move(fd)); };
  }
  return events;
}

void App::Stop(uint32_t grace_ms, absl::AnyInvocable<void(Status)> done) {
  if (life_.state() == Life::State::kGone) return done(OkStatus());
  life_.Observe([done = std::move(done)](const Life& life) mutable {
    if (life.state() == Life::State::kGone && done != nullptr)
      std::exchange(done, nullptr)(OkStatus());
  });
  stop_asked_ = true;
  const bool never_ready = life_.state() == Life::State::kBooting;
  life_.Drain();
  // A guest that has not come up cannot be asked.
  if (never_ready) return End({true, "stopped while it was starting"});
  guest_->PowerOff(grace_ms);
  stop_limit_.Start(std::chrono::milliseconds(grace_ms), [this] {
    log::Warning("the guest did not power off in time");
    // Who asked for a stop has one. Of what nobody asked for, it is said that something may be
    // lost.
    End({!lease_over_, "stopped by force: the guest did not power off in time"});
  });
}

void App::OnStalled(const Status& why) {
  log::Warning("the guest stands still", {{"why", why}});
  guest_->Rest(true);
  life_.StandStill(Describe(why));
  stall_retry_.Start(kStallRetry, [this] {
    // What it was waiting for is tried again; if that fails again, we are back here.
    machine_->Resume([this](const Status& resumed) {
      if (!resumed.ok()) return log::Warning("the guest cannot go on", {{"why", resumed}});
      guest_->Rest(false);
      life_.GoOn();
    });
  });
}

void App::OnMachineExit(Machine::Exit exit) {
  const bool asked = life_.state() == Life::State::kDraining;
  // A guest that restarts although it was told to power off has ended.
  End({exit.clean || asked, exit.reason, exit.restart && !stop_asked_});
}

void App::End(Machine::Exit exit) {
  if (life_.state() == Life::State::kGone) return;
  if (lease_over_) exit.reason.insert(0, "no capsem-service came back for it: ");
  log::Info("the machine is gone", {{"reason", exit.reason}, {"clean", exit.clean}});
  lease_.Cancel();
  boot_limit_.Cancel();
  stop_limit_.Cancel();
  lost_limit_.Cancel();
  stall_retry_.Cancel();
  machine_->Kill(exit.reason);
  guest_->Fail(Unavailable("the machine is gone: {}", exit.reason));
  LeaveLastWord(exit);
  life_.Gone(exit);
  leave_limit_.Start(kLeaveLimit, [this] { Leave(); });
  loop_.Post([this] { LeaveWhenIdle(); });
}

void App::LeaveLastWord(const Machine::Exit& exit) {
  capsem::process::v1::LastWord word;
  word.set_reason(exit.reason);
  word.set_clean(exit.clean);
  word.set_restart(exit.restart);
  const std::string path = config_.launch.session_dir() + "/" + session_file::kLastWord;
  const Status written = WriteSmallFile(path, word.SerializeAsString());
  if (!written.ok()) log::Warning("no last word is left", {{"why", written}});
}

void App::OnDeviceLost(const Status& why) {
  if (why.code() != StatusCode::kUnavailable) return End({false, Describe(why)});
  // QEMU closed its end, as it does when it leaves: its exit says why. One that stays is of no use.
  lost_limit_.Start(kLostLimit, [this] { machine_->Kill("QEMU lost the vsock device"); });
}

void App::OnLeaseOver() {
  const bool ran = life_.state() != Life::State::kBooting;
  if (keep_ && ran) {
    log::Warning("no capsem-service came back: this machine is stopped");
    lease_over_ = true;
    return Stop(kLeaseStopGraceMs, [](const Status&) {});
  }
  // Nobody will ever ask for this machine again. Its folder stays: the next service knows from the
  // registry whether the session does.
  log::Warning("capsem-service is gone: this machine ends");
  machine_.reset();
  _exit(0);
}

void App::LeaveWhenIdle() {
  if (life_.state() == Life::State::kGone && rpc_ != nullptr && rpc_->idle()) Leave();
}

void App::Leave() {
  if (std::exchange(leaving_, true)) return;
  endpoint_->Shutdown(std::chrono::milliseconds(200), [this] { loop_.Stop(); });
}

}  // namespace capsem::process
