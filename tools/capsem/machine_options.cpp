#include "machine_options.h"

#include <unistd.h>

#include <cmath>

namespace capsem::cli {
namespace {

constexpr double kMibPerGib = 1024;

StatusOr<std::optional<uint32_t>> MemoryOf(const Args& args) {
  const std::optional<std::string> ram = args.Text("--ram");
  if (!ram) return args.Count("--memory");
  if (args.Flag("--memory"))
    return WithRemedy(InvalidArgument("--memory and --ram say the same"), "give one of them");
  const std::optional<double> gib = ParseDecimal(*ram);
  // The upper bound is the service's to tell; this one only keeps the number a number.
  if (!gib || *gib <= 0 || *gib > 1e6)
    return WithRemedy(InvalidArgument("--ram {} is no number of GiB above 0", *ram),
                      "for example: --ram 1.5");
  return std::optional(static_cast<uint32_t>(std::lround(std::ceil(*gib * kMibPerGib))));
}

}  // namespace

StatusOr<v1::CreateSessionRequest> MachineOf(const Args& args) {
  v1::CreateSessionRequest request;
  request.set_image(args.Text("--image").value_or(""));
  request.set_cpus(TRY(args.Count("--cpus")).value_or(0));
  request.set_memory_mib(TRY(MemoryOf(args)).value_or(0));
  request.set_disk_gib(TRY(args.Count("--disk")).value_or(0));
  return request;
}

Status AddEnvironment(const Args& args, google::protobuf::RepeatedPtrField<v1::EnvVar>& target) {
  for (const std::string& variable : args.Texts("--env")) {
    const size_t equals = variable.find('=');
    if (equals == std::string::npos || equals == 0)
      return WithRemedy(InvalidArgument("-e {} is not of the form K=V", variable),
                        "for example: -e LANG=C.UTF-8");
    v1::EnvVar& added = *target.Add();
    added.set_key(variable.substr(0, equals));
    added.set_value(variable.substr(equals + 1));
  }
  return OkStatus();
}

StatusOr<uint32_t> GraceOf(const Args& args) {
  constexpr std::chrono::seconds kMaxGrace{300};  // sessions.proto
  const auto grace = TRY(args.Seconds("--grace", kMaxGrace));
  if (!grace) return 0u;
  // No grace at all is the API's smallest one.
  return std::max<uint32_t>(1, static_cast<uint32_t>(grace->count()));
}

std::string IsolationWarning(v1::Isolation isolation, bool quiet) {
  if (quiet || isolation != v1::ISOLATION_EMULATED || isatty(STDERR_FILENO) == 0) return "";
  return "capsem: warning: this machine is emulated: slower, and no security boundary; "
         "`capsem status` says why KVM is not used\n";
}

}  // namespace capsem::cli
