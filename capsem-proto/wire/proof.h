// Proving to hold a secret without saying it: HMAC-SHA256 over a label and what both sides have
// said. Pure; of any thread. The guest's link and process.sock use it.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

namespace capsem::wire {

// From the kernel's generator; at most 256 bytes, which come whole or not at all.
std::string RandomBytes(size_t size);

// Two digits for each byte.
std::string ToHex(std::string_view bytes);

// `label` says whose proof it is, so that neither side's can be sent back to it. The parts are not
// kept apart: all but one must be of a fixed length.
std::string MakeProof(const std::string& secret, std::string_view label,
                      std::initializer_list<std::string_view> parts);

// In constant time for equal lengths.
bool SameProof(std::string_view proof, std::string_view expected);

// process.sock. The process answers Introduce{nonce} with a nonce of its own and this proof, so
// that the service does not talk to somebody else's process:
std::string ProcessProof(const std::string& secret, std::string_view service_nonce,
                         std::string_view process_nonce);
// and every other call carries this one in its metadata, under kProofKey.
// in hex: one in about sixteen random values was lost on its way as gRPC's binary metadata.
std::string ServiceProof(const std::string& secret, std::string_view session_id);
inline constexpr char kProofKey[] = "capsem-proof";

}  // namespace capsem::wire
