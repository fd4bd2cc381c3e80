#include "supervise/qemu_version.h"

#include <unistd.h>

#include <chrono>
#include <utility>

namespace capsem::service {
namespace {

constexpr std::chrono::seconds kLimit{5};  // it takes 30 ms on an idle machine
constexpr const char* kRemedy = "install it: `apt-get install qemu-system-x86`";

}  // namespace

Status CheckQemu(const std::string& program) {
  if (access(program.c_str(), X_OK) == 0) return OkStatus();
  return WithRemedy(FailedPrecondition("QEMU is not installed: there is no {}", program), kRemedy);
}

std::string ParseQemuVersion(std::string_view said) {
  constexpr std::string_view kBefore = "QEMU emulator version ";
  if (!said.starts_with(kBefore)) return {};
  said.remove_prefix(kBefore.size());
  return std::string(said.substr(0, said.find_first_not_of("0123456789.")));
}

QemuVersion::QemuVersion(Loop& loop, std::string program)
    : loop_(loop), program_(std::move(program)) {}

void QemuVersion::Ask(Done done) {
  waiting_.push_back(std::move(done));
  if (run_) return;
  if (known_.empty()) {
    run_ = std::make_unique<ShortRun>(loop_, ShortRun::Spec{program_, {"--version"}, kLimit},
                                      [this](const StatusOr<std::string>& said) { OnSaid(said); });
    return;
  }
  loop_.Post([self = weak_.Get()] {
    if (!self) return;
    for (Done& waiting : std::exchange(self->waiting_, {})) waiting(self->known_);
  });
}

void QemuVersion::OnSaid(const StatusOr<std::string>& said) {
  StatusOr<std::string> answer = said;
  if (answer.ok()) answer = known_ = ParseQemuVersion(*said);
  if (answer.ok() && known_.empty()) answer = Internal("{} does not say its version", program_);
  if (!answer.ok()) answer = WithRemedy(Annotate(answer.status(), "QEMU cannot be used"), kRemedy);
  run_ = nullptr;
  for (Done& waiting : std::exchange(waiting_, {})) waiting(answer);
}

}  // namespace capsem::service
