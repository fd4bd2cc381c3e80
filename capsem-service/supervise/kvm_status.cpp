// Platform: kvm; elsewhere: the answer is no, with the probe's reason, and machines are emulated.
#include "supervise/kvm_status.h"

#include <unistd.h>

#include <chrono>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/log.h"
#include "base/small_file.h"

namespace capsem::service {
namespace {

// The probe ends itself within 300 ms; this is for one whose kernel does not let it.
constexpr std::chrono::seconds kProbeLimit{5};

using Json = nlohmann::json;

std::optional<KvmStatus::Answer> ParseAnswer(std::string_view text) {
  const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object() || !json.contains("usable") || !json["usable"].is_boolean()) return {};
  KvmStatus::Answer answer{json["usable"].get<bool>(), {}};
  const auto reason = json.find("reason");
  if (!answer.usable && reason != json.end() && reason->is_string()) answer.reason = *reason;
  return answer;
}

std::string ReadWhole(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

std::string CurrentBoot() {
  std::string boot = ReadWhole("/proc/sys/kernel/random/boot_id");
  while (!boot.empty() && boot.back() == '\n') boot.pop_back();
  const bool may_open = access("/dev/kvm", R_OK | W_OK) == 0;
  return boot + (may_open ? " kvm" : " no kvm");
}

KvmStatus::KvmStatus(Loop& loop, std::string program, std::string cache_path, std::string boot)
    : loop_(loop),
      program_(std::move(program)),
      cache_path_(std::move(cache_path)),
      boot_(std::move(boot)) {}

void KvmStatus::Ask(Done done) {
  waiting_.push_back(std::move(done));
  if (probe_) return;
  if (!answer_) answer_ = Cached();
  if (answer_) {
    return loop_.Post([self = weak_.Get()] {
      if (self) self->Tell();
    });
  }
  probe_ =
      std::make_unique<ShortRun>(loop_, ShortRun::Spec{program_, {}, kProbeLimit},
                                 [this](const StatusOr<std::string>& said) { OnProbed(said); });
}

std::optional<KvmStatus::Answer> KvmStatus::Cached() const {
  const std::string text = ReadWhole(cache_path_);
  const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object() || !json.contains("boot") || json["boot"] != boot_) return {};
  return ParseAnswer(text);
}

void KvmStatus::Remember() const {
  const Json json = {{"boot", boot_}, {"usable", answer_->usable}, {"reason", answer_->reason}};
  const Status written = WriteSmallFile(cache_path_, json.dump());
  if (!written.ok()) log::Warning("the answer about KVM is not kept", {{"reason", written}});
}

void KvmStatus::OnProbed(const StatusOr<std::string>& said) {
  const auto answer = said.ok() ? ParseAnswer(*said) : std::nullopt;
  if (answer) {
    answer_ = answer;
    Remember();
  } else {
    // Not kept: what is wrong here is the probe, and that can be mended.
    answer_ = Answer{false, said.ok() ? fmt::format("the KVM probe gave no answer: {}", *said)
                                      : fmt::format("the KVM probe failed: {}", said.status())};
  }
  log::Info("KVM", {{"usable", answer_->usable}, {"reason", answer_->reason}});
  probe_ = nullptr;
  Tell();
}

void KvmStatus::Tell() {
  const Answer answer = *answer_;
  for (Done& done : std::exchange(waiting_, {})) done(answer);
}

}  // namespace capsem::service
