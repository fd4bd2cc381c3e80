// What all commands of the machine share; it outlives them.
#pragma once

#include "exec/exec_group.h"
#include "exec/exec_process.h"
#include "process/reaper.h"

namespace capsem::agent {

struct ExecServices {
  Loop& loop;
  Reaper& reaper;
  ExecGroups& groups;
  ExecEnvironment environment;
};

}  // namespace capsem::agent
