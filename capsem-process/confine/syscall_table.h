// Which system calls a confined program has: the tables, and nothing else. What stands in no table
// answers EPERM. docs/confinement.md publishes the counts.
#pragma once

#include <span>
#include <string_view>

namespace capsem::process {

enum class Confined { kProcess, kQemu };

// Allowed with any arguments. Names of other processors are among them: they count where they are.
std::span<const std::string_view> CommonCalls();
std::span<const std::string_view> CallsOf(Confined who);  // beside the common ones
// Allowed with some arguments only: the rules are in syscall_filter.cpp.
std::span<const std::string_view> CheckedCalls(Confined who);
// Answer ENOSYS, as on a kernel without them.
std::span<const std::string_view> MissingCalls();

}  // namespace capsem::process
