#include "command_answer.h"

namespace capsem::cli {

Status CommandAnswer::Add(const v1::ExecEvent& event) {
  if (event.has_started()) started_ = event.started();
  if (event.has_exit()) exit_ = event.exit();
  const size_t room = kMaxOutput - stdout_.size() - stderr_.size();
  if (event.stdout().size() + event.stderr().size() > room) {
    return WithRemedy(ResourceExhausted("the command was ended: it printed more than {} MiB, too "
                                        "much for one JSON document",
                                        kMaxOutput >> 20),
                      "leave --json out: its output then comes as it is printed, without a limit");
  }
  stdout_ += event.stdout();
  stderr_ += event.stderr();
  return OkStatus();
}

std::optional<nlohmann::ordered_json> CommandAnswer::ToJson() const {
  if (!exit_) return std::nullopt;
  nlohmann::ordered_json json;
  json["exit_code"] = exit_->code();
  json["stdout"] = stdout_;
  json["stderr"] = stderr_;
  json["signal"] = exit_->signal();
  json["timed_out"] = exit_->timed_out();
  json["error"] = exit_->error();
  json["duration_us"] = exit_->duration_us();
  json["session"] = started_.session();
  json["exec"] = started_.exec();
  return json;
}

}  // namespace capsem::cli
