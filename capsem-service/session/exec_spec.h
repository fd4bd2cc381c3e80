// Is a command one that can be run at all? Pure; every refusal says what helps.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/status.h"
#include "capsem/v1/execs.pb.h"

namespace capsem::service {

// The command itself: argv or shell, sizes, NULs, env, cwd, timeout. Not whether its session
// exists.
Status CheckExec(const capsem::v1::ExecStart& start);
// Each side fits into Linux's winsize.
Status CheckSize(const capsem::v1::TerminalSize& size);
// 1-64.
Status CheckSignal(uint32_t signal);
// Neither an id nor a name that a session could have.
Status CheckSessionKey(std::string_view id_or_name);

}  // namespace capsem::service
