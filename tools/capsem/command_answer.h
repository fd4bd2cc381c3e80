// A command of the guest as one JSON document: what it printed and how it ended, with the keys that
// the gateway has for it (docs/http.md). What is no UTF-8 in its output is replaced when the
// document is printed. Pure.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "base/status.h"
#include "capsem/v1/execs.pb.h"

namespace capsem::cli {

class CommandAnswer {
 public:
  // stdout and stderr together, in bytes: as much as the gateway takes.
  static constexpr size_t kMaxOutput = 10 * 1024 * 1024;

  // ResourceExhausted: the command has printed more.
  Status Add(const v1::ExecEvent& event);
  // Nullopt when its exit has not been heard.
  std::optional<nlohmann::ordered_json> ToJson() const;

 private:
  std::string stdout_;
  std::string stderr_;
  v1::ExecStarted started_;
  std::optional<v1::ExecExit> exit_;
};

}  // namespace capsem::cli
