// Whether this host is fit for Capsem, as `capsem doctor` tells it: each check a sentence, and
// where it is not true its cause and what helps, which is never empty. Facts are gathered by
// MeasureHost, which calls the service; the judgement is pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"
#include "capsem/v1/images.pb.h"
#include "capsem/v1/system.pb.h"
#include "client.h"

namespace capsem::cli {

struct HostCheck {
  enum class Result { kOk, kNote, kFailed };  // kNote: worth knowing, and nothing fails for it
  std::string sentence;
  Result result = Result::kOk;
  std::string cause;
  std::string remedy;
};

// What systemd makes of the service.
struct UnitFacts {
  bool has_systemd = false;
  bool runs_service = false;  // the service that answers was started as capsem.service
  std::string kill_mode;      // of that unit, as it is loaded; "" = systemd does not say
  bool lingers = false;       // the user's own systemd outlives its last login
};

struct HostFacts {
  v1::StatusResponse status;
  StatusOr<v1::Image> base_image;  // verified, file by file
  uint64_t memory_available = 0;   // bytes
  StatusOr<uint32_t> state_mode;   // permission bits of the state folder
  StatusOr<uint32_t> landlock;     // version of its interface
  bool builds_images = false;      // root, or a user with subordinate ids
  UnitFacts unit;
};

HostFacts MeasureHost(Client& client, const v1::StatusResponse& status);
std::vector<HostCheck> JudgeHost(const HostFacts& facts);

}  // namespace capsem::cli
