// The options that create and run share: the shape of the machine, the variables of its commands.
#pragma once

#include <vector>

#include "args.h"
#include "base/status.h"
#include "capsem/v1/sessions.pb.h"

namespace capsem::cli {

inline constexpr Option kImageOption{"--image", "NAME", "the image to boot (default: base)"};
inline constexpr Option kCpusOption{"--cpu, --cpus", "N",
                                    "processors, 1 to 8 (default: 2, 1 when emulated)"};
inline constexpr Option kMemoryOption{
    "--memory", "MIB", "memory, 256 to 16384 MiB (default: 1024, 512 when emulated)"};
inline constexpr Option kRamOption{"--ram", "GB", "memory in GiB, with decimals"};
inline constexpr Option kDiskOption{"--disk", "GIB",
                                    "how large its disk may grow, 1 to 1024 GiB (default: 16)"};
inline constexpr Option kEnvOption{"-e, --env", "K=V",
                                   "a variable for the guest; may be given again"};
inline constexpr Option kGraceOption{"--grace", "S",
                                     "seconds to end by itself, 0 to 300 (default: 10)"};
inline constexpr Option kJsonOption{"--json", "", "JSON for scripts, errors too"};

StatusOr<v1::CreateSessionRequest> MachineOf(const Args& args);
// `target` is the repeated field of EnvVar to fill.
Status AddEnvironment(const Args& args, google::protobuf::RepeatedPtrField<v1::EnvVar>& target);

// Of --grace, as the API has it: 0 is its default.
StatusOr<uint32_t> GraceOf(const Args& args);

// For stderr, when a person looks at it and the machine is only emulated; else "".
std::string IsolationWarning(v1::Isolation isolation, bool quiet);

}  // namespace capsem::cli
