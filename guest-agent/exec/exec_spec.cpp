#include "exec/exec_spec.h"

#include <algorithm>

#include "wire/limits.h"

namespace capsem::agent {
namespace {

constexpr const char* kDefaultPath =
    "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/opt/capsem/bin";
constexpr const char* kDefaultCwd = "/workspace";
constexpr const char* kDefaultTerm = "xterm";

bool HasNul(const std::string& text) { return text.find('\0') != std::string::npos; }

// What any program may expect.
Environment Basics(const capsem::guest::v1::ExecStart& start) {
  Environment env{{"PATH", kDefaultPath}, {"HOME", "/root"}, {"USER", "root"}};
  if (start.uid() != 0) {
    env["HOME"] = "/";
    env["USER"] = std::to_string(start.uid());
  }
  if (start.has_pty()) {
    env["TERM"] = start.pty().term().empty() ? kDefaultTerm : start.pty().term();
    // What is typed and shown may be any letter. Without a terminal it only costs time: programs
    // open a file for each category.
    env["LANG"] = "C.UTF-8";
  }
  return env;
}

uint16_t SideOf(uint32_t told, uint16_t otherwise) {
  return told == 0 ? otherwise : static_cast<uint16_t>(std::min(told, wire::kMaxTerminalSide));
}

}  // namespace

StatusOr<ExecSpec> MakeExecSpec(const capsem::guest::v1::ExecStart& start,
                                const Environment& session) {
  if (start.argv().empty() || start.argv(0).empty())
    return InvalidArgument("there is no command to run");
  Environment env = Basics(start);
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
  if (start.has_pty()) spec.pty = SizeOf(start.pty().size());
  spec.uid = start.uid();
  return spec;
}

PtySize SizeOf(const capsem::guest::v1::Resize& size) {
  const PtySize usual;
  return {SideOf(size.rows(), usual.rows), SideOf(size.cols(), usual.cols)};
}

}  // namespace capsem::agent
