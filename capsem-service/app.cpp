#include "app.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "base/clock.h"
#include "base/log.h"
#include "base/small_file.h"
#include "session/recover.h"
#include "session/session_dir.h"
#include "supervise/child_env.h"
#include "wire/limits.h"

namespace capsem::service {
namespace {

// What was answered last is on its way out; streams that nobody ends (Watch) are cancelled then.
constexpr std::chrono::milliseconds kFarewell{300};

std::string ReadWhole(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

MachineSpec SpecOf(const MachineRequest& request, const Config& config, int tsc_mhz) {
  MachineSpec spec = MakeMachineSpec(request.host.kvm ? Accelerator::kKvm : Accelerator::kTcg,
                                     HostCpuFrom(ReadWhole("/proc/cpuinfo")));
  const std::string image = config.dirs.Images() + "/" + request.image_digest;
  spec.name = request.session_id;
  spec.uuid = RandomUuid();
  spec.genid = RandomUuid();
  spec.files.kernel = image + "/vmlinuz";
  spec.files.initrd = image + "/initramfs.cpio";
  spec.files.root = image + "/rootfs.erofs";
  spec.files.disk = request.session_dir + "/" + session_file::kDisk;
  spec.files.serial = request.session_dir + "/" + session_file::kSerialLog;
  spec.cpus = static_cast<int>(request.cpus);
  spec.memory_mib = static_cast<int>(request.memory_mib);
  if (!request.host.kvm) spec.tsc_mhz = tsc_mhz;
  return spec;
}

// For people and virsh; the machine does not need it.
void KeepDomainXml(const std::string& dir, const std::string& xml) {
  const std::string path = dir + "/" + session_file::kDomainXml;
  const UniqueFd fd(open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (fd.valid() && write(fd.get(), xml.data(), xml.size()) == static_cast<ssize_t>(xml.size()))
    return;
  log::Warning("a session's domain.xml is not kept", {{"path", path}});
}

// The disk appears when all of it is there.
void MakeDisk(EmptyDisk& disks, const std::string& dir, MachineTools::Done<UniqueFd> done) {
  const std::string unfinished = dir + "/" + session_file::kUnfinishedDisk;
  unlink(unfinished.c_str());
  disks.Copy(unfinished, [dir, unfinished, done = std::move(done)](const Status& copied) mutable {
    if (!copied.ok()) return done(copied);
    const std::string disk = dir + "/" + session_file::kDisk;
    if (rename(unfinished.c_str(), disk.c_str()) != 0) return done(FromErrno("make {}", disk));
    done(OpenSessionDisk(dir));
  });
}

}  // namespace

StatusOr<std::unique_ptr<App>> App::Create(Loop& loop, const Config& config,
                                           LoadedSettings settings) {
  const auto since = Clock::Now();
  auto registry = TRY(Registry::Open(loop, config.dirs.Registry()));
  auto recovered = TRY(RecoverSessions(config.dirs.Sessions(), *registry));
  // We are the only one that writes there.
  for (const char* folder : {"", "/argv"}) RemoveUnfinishedIn(config.dirs.Cache() + folder);
  std::unique_ptr<App> app(new App(loop, config, std::move(settings), std::move(registry)));
  app->sessions_.Restore(std::move(recovered), since);
  app->endpoint_ =
      TRY(rpc::ServerEndpoint::Listen(loop, config.dirs.ServiceSocket(),
                                      {&app->sessions_rpc_, &app->execs_rpc_, &app->files_rpc_,
                                       &app->images_rpc_, &app->system_rpc_}));
  // The first create shall not wait for it.
  app->kvm_.Ask([](const KvmStatus::Answer&) {});
  if (config.gateway_port) app->gateway_.Start();
  return app;
}

App::App(Loop& loop, const Config& config, LoadedSettings settings,
         std::unique_ptr<Registry> registry)
    : loop_(loop),
      config_(config),
      settings_(std::move(settings)),
      registry_(std::move(registry)),
      kvm_(loop, config.Program("capsem-kvm-probe"), config.dirs.Cache() + "/kvm.json",
           CurrentBoot()),
      qemu_(loop, MakeMachineSpec(Accelerator::kTcg, HostCpu::kIntel).emulator),
      images_(loop, ImagePaths{config.dirs.Images(), config.dirs.Keys() + "/trusted_keys.d",
                               config.dirs.Cache() + "/verdicts"}),
      compiler_(loop,
                {.program = config.Program("capsem-define"), .cache_folder = config.dirs.Cache()}),
      table_(loop, config.dirs.Sessions(), *registry_),
      sessions_(loop, table_, kvm_, Tools(), settings_),
      naming_(loop, table_),
      sessions_rpc_(loop, table_, sessions_, naming_),
      execs_rpc_(loop, table_, sessions_),
      files_rpc_(loop, table_),
      images_rpc_(loop, images_),
      system_rpc_(
          loop, {.dirs = config_.dirs,
                 .table = table_,
                 .kvm = kvm_,
                 .qemu = qemu_,
                 .settings = settings_,
                 .cgroup = groups_.text(),
                 .logs_to_stderr = config.foreground,
                 .gateway = [this] { return config_.gateway_port ? gateway_.state() : "off"; },
                 .shutdown = [this](absl::AnyInvocable<void()> ended) { End(std::move(ended)); }}),
      gateway_(loop, GatewaySpec()) {}

void App::Reload() {
  auto read = LoadSettings(settings_.files);
  if (!read.ok())
    return log::Error("the configuration stays as it was", {{"reason", read.status()}});
  settings_ = *std::move(read);
  log::Info("the configuration was read again");
}

EmptyDisk& App::DiskOf(uint32_t gib) {
  const EmptyDiskSpec spec{.folder = config_.dirs.Cache(), .bytes = uint64_t{gib} << 30};
  return disks_.try_emplace(gib, loop_, spec).first->second;
}

CompanionSpec App::GatewaySpec() {
  CompanionSpec spec;
  spec.name = "capsem-gateway";
  spec.find_program = [this](CompanionSpec::Found done) {
    CheckBinary(loop_, Binaries(), "capsem-gateway", std::move(done));
  };
  spec.log_path = config_.dirs.GatewayLog();
  spec.args = {"--run-dir", config_.dirs.runtime,
               "--log",     spec.log_path,
               "--port",    std::to_string(config_.gateway_port.value_or(0))};
  spec.env = ChildEnv(OwnEnvironment());
  spec.files = {config_.dirs.GatewayPort(), config_.dirs.GatewayToken()};
  return spec;
}

BinaryPaths App::Binaries() const {
  return {config_.programs, config_.dirs.Keys() + "/trusted_keys.d",
          config_.dirs.Cache() + "/verdicts-programs"};
}

MachineTools App::Tools() {
  MachineTools tools;
  tools.find_process = [this](MachineTools::Done<std::string> done) {
    const Status qemu = CheckQemu(qemu_.program());
    if (!qemu.ok()) return loop_.Post([qemu, done = std::move(done)]() mutable { done(qemu); });
    CheckBinary(loop_, Binaries(), "capsem-process", std::move(done));
  };
  tools.open_image = [this](const std::string& name, MachineTools::Done<BootImage> done) {
    images_.Open(name, [done = std::move(done)](StatusOr<OpenedImage> image) mutable {
      if (!image.ok()) return done(image.status());
      done(BootImage{image->digest, std::move(image->kernel), std::move(image->initramfs),
                     std::move(image->root)});
    });
  };
  tools.make_disk = [this](const std::string& dir, uint32_t gib,
                           MachineTools::Done<UniqueFd> done) {
    MakeDisk(DiskOf(gib), dir, std::move(done));
  };
  tools.compile = [this](const MachineRequest& request,
                         MachineTools::Done<std::vector<std::string>> done) {
    compiler_.Compile(SpecOf(request, config_, tsc_.mhz()),
                      [dir = request.session_dir,
                       done = std::move(done)](StatusOr<CompiledMachine> machine) mutable {
                        if (!machine.ok()) return done(machine.status());
                        KeepDomainXml(dir, machine->domain_xml);
                        done(std::move(machine->argv));
                      });
  };
  tools.groups = &groups_;
  tools.process_env = ChildEnv(OwnEnvironment());
  tools.test_rpcs = config_.test_rpcs;
  tools.exec_spool_mib = [this] { return settings_.values.exec_spool_mib; };
  tools.orphan_lease = [this] { return std::chrono::seconds(settings_.values.orphan_lease_s); };
  return tools;
}

void App::HandOver() {
  if (std::exchange(ending_, true)) return;
  log::Info("leaving the machines to the next service");
  gateway_.Stop();
  sessions_.HandOver();
  endpoint_->Shutdown(kFarewell, [this] { registry_->Flush([this] { loop_.Stop(); }); });
}

void App::End(absl::AnyInvocable<void()> ended) {
  ended_.push_back(std::move(ended));
  if (std::exchange(ending_, true)) return;
  log::Info("ending every session");
  gateway_.Stop();
  sessions_.EndAll([this] { OnAllEnded(); });
}

void App::OnAllEnded() {
  for (auto& ended : std::exchange(ended_, {})) ended();
  system_rpc_.EndLogs();
  endpoint_->Shutdown(kFarewell, [this] { loop_.Stop(); });
}

}  // namespace capsem::service
