#include "exec/exec_spec.h"

namespace capsem::agent {
namespace {

constexpr const char* kDefaultPath =
    "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/opt/capsem/bin";
constexpr const char* kDefaultCwd = "/workspace";

bool HasNul(const std::string& text) { return text.find('\0') != std::string::npos; }

}  // namespace

StatusOr<ExecSpec> MakeExecSpec(const capsem::guest::v1::ExecStart& start,
                                const Environment& session) {
  if (start.argv().empty() || start.argv(0).empty())
    return InvalidArgument("there is no command to run");
  Environment env{{"PATH", kDefaultPath}, {"HOME", "/root"}, {"USER", "root"}};
  for (const auto& [name, value] : session) env[name] = value;
  for (const auto& [name, value] : start.env()) env[name] = value;

  ExecSpec spec;
  spec.id = start.exec();
  for (const std::string& argument : start.argv()) {
    if (HasNul(argument)) return InvalidArgument("argument {} holds a NUL byte", spec.argv.size());
    spec.argv.push_back(argument);
  }
  for (const auto& [name, value] : env) {
    if (name.empty() || name.find('=') != std::string::npos || HasNul(name) || HasNul(value))
      return InvalidArgument("the environment variable `{}` cannot be set", name);
    spec.env.push_back(name + "=" + value);
  }
  spec.path = env["PATH"];
  spec.cwd = start.cwd().empty() ? kDefaultCwd : start.cwd();
  if (HasNul(spec.cwd)) return InvalidArgument("the working folder holds a NUL byte");
  spec.timeout = std::chrono::milliseconds(start.timeout_ms());
  spec.stdin_open = start.stdin_open();
  return spec;
}

}  // namespace capsem::agent
