#include "each_session.h"

#include <nlohmann/json.hpp>

#include "output.h"
#include "wire/exit_code.h"

namespace capsem::cli {

StatusOr<int> TellEach(const std::vector<std::string>& sessions, const std::vector<Status>& answers,
                       const Args& args) {
  const bool json = args.Flag("--json");
  std::string done;
  auto list = nlohmann::ordered_json::array();
  auto errors = nlohmann::ordered_json::array();
  Status first;
  for (size_t i = 0; i < sessions.size(); ++i) {
    if (answers[i].ok()) {
      done += Printable(sessions[i]) + '\n';
      list.push_back(sessions[i]);
      continue;
    }
    if (first.ok()) first = answers[i];
    errors.push_back({{"session", sessions[i]}});
    errors.back().update(ErrorJson(answers[i]));
    if (!json) WriteStderr(ErrorText(answers[i], false));
  }
  if (json && !first.ok()) WriteStderr(JsonText({{"error", ErrorJson(first)}, {"errors", errors}}));
  if (json) TRY(WriteStdout(JsonText(list)));
  if (!json && !args.Flag("--quiet")) TRY(WriteStdout(done));
  return ExitCode(first);
}

}  // namespace capsem::cli
