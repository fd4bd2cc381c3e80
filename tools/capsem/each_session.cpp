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
  int code = 0;
  for (size_t i = 0; i < sessions.size(); ++i) {
    if (answers[i].ok()) {
      done += Printable(sessions[i]) + '\n';
      list.push_back(sessions[i]);
      continue;
    }
    WriteStderr(ErrorText(answers[i], json));
    if (code == 0) code = ExitCode(answers[i]);
  }
  if (json) TRY(WriteStdout(JsonText(list)));
  if (!json && !args.Flag("--quiet")) TRY(WriteStdout(done));
  return code;
}

}  // namespace capsem::cli
