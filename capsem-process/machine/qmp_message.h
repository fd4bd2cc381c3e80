// QMP, the monitor's protocol, as bytes in and messages out. QEMU may have been taken over by its
// guest, so this is a parser of hostile bytes: pure, incremental, bounded in length, depth and
// count.
//
// A message is one line of JSON:
//   {"QMP": {…}}                                         the greeting, first
//   {"return": …, "id": "7"}                             the answer to command 7
//   {"error": {"class": …, "desc": …}, "id": "7"}        the same, refused
//   {"event": "STOP", "data": {…}, "timestamp": {…}}     something happened
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "base/status.h"

namespace capsem::process {

// The scalar members of an object by their dotted path ("info.type"), as text; true and false are
// "true" and "false". Arrays, and paths over kMaxQmpPath, are left out: nothing here asks for one.
using QmpFields = std::map<std::string, std::string, std::less<>>;

struct QmpGreeting {};
struct QmpAnswer {
  std::string id;
  Status status;  // what QEMU said when it refused
  QmpFields fields;
};
struct QmpEvent {
  std::string name;
  QmpFields data;
  // The member's text, or "" when there is none.
  std::string_view Get(std::string_view path) const;
};
using QmpMessage = std::variant<QmpGreeting, QmpAnswer, QmpEvent>;

// Of one line. The longest answer that we ask for is a few hundred bytes; a greeting has some 300.
inline constexpr size_t kMaxQmpLine = 64 * 1024;
inline constexpr size_t kMaxQmpDepth = 16;
inline constexpr size_t kMaxQmpFields = 256;
inline constexpr size_t kMaxQmpPath = 128;

// One line without its end. DataLoss: not QMP.
StatusOr<QmpMessage> ParseQmp(std::string_view line);

class QmpDecoder {
 public:
  void Append(std::string_view bytes) { bytes_.append(bytes); }
  // The next message that is complete, or none yet. After an error the connection has no meaning
  // any more. Asked until it says none, it keeps at most one line.
  StatusOr<std::optional<QmpMessage>> Next();

 private:
  std::string bytes_;
  size_t start_ = 0;  // of the first line that has not been handed out
};

// {"execute": command, "arguments": arguments, "id": id} and a newline. `arguments` is JSON, or
// empty.
std::string QmpCommandLine(std::string_view command, std::string_view arguments,
                           std::string_view id);

}  // namespace capsem::process
