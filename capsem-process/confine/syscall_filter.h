// The two system call filters, made from the tables with libseccomp, as programs for the kernel.
#pragma once

#include <linux/filter.h>
#include <sys/types.h>

#include <cstddef>
#include <vector>

#include "base/status.h"
#include "confine/syscall_table.h"

namespace capsem::process {

using FilterProgram = std::vector<sock_filter>;

// For ChildSpec::filter. QEMU may execute itself once, and put its own filter on top.
StatusOr<FilterProgram> QemuFilter();

// Of a capsem-process whose listener and whose QEMU are these; 0 = it has no QEMU.
StatusOr<FilterProgram> ProcessFilter(int listener, pid_t qemu);

// How many system calls of this processor a program has, with any or with some arguments.
size_t AllowedCalls(Confined who);

}  // namespace capsem::process
