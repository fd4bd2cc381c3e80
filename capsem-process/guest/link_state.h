// The host half of a link as a file: versioned, bounded, closed by a digest. A file that is not
// exactly as it was written is refused (DataLoss), decided before anything is made of it.
//
// Layout: "CAPSLINK" ‖ u32 version ‖ u64 link id ‖ u8 established ‖ {u32 length, bytes} × 3
// (secret, control_out, mux) ‖ SHA-256 of all before. Little-endian.
#pragma once

#include <string>

#include "base/status.h"
#include "wire/hello.h"

namespace capsem::process {

struct LinkState {
  wire::LinkIdentity identity;
  bool established = false;
  std::string control_out;  // control frames that were not yet taken by the multiplexer
  std::string mux;          // wire::Mux::Save
};

// Written beside and renamed, 0600, fsynced.
Status WriteLinkState(const std::string& path, const LinkState& state);
StatusOr<LinkState> ReadLinkState(const std::string& path);

// The same as bytes.
std::string EncodeLinkState(const LinkState& state);
StatusOr<LinkState> DecodeLinkState(std::string_view bytes);

}  // namespace capsem::process
