// The command line that libvirt made, as text in and as options out; and the two notations inside
// of options: key=value,… and JSON. Pure. It is libvirt's own output, yet read strictly: what is
// not understood is an error, never a guess.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"

namespace capsem::service {

struct NativeOption {
  std::string name;                  // with its dash: "-device"
  std::optional<std::string> value;  // absent for flags such as -S
};

struct NativeCommand {
  std::string emulator;
  std::vector<NativeOption> options;
};

// Environment assignments in front of the emulator are dropped.
StatusOr<NativeCommand> ParseNativeCommand(std::string_view text);

// "socket,id=charmonitor,path=/a,,b": what stands first without a key has the key "". A comma in a
// value is doubled.
class KeyValues {
 public:
  static KeyValues Parse(std::string_view text);
  // nullopt when there is no such key.
  std::optional<std::string_view> Find(std::string_view key) const;
  void Set(std::string_view key, std::string_view value);
  std::string Text() const;

 private:
  std::vector<std::pair<std::string, std::string>> items_;
};

}  // namespace capsem::service
