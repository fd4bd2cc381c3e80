// One Landlock domain: what a process, and all that it starts afterwards, may still open by name.
// Rights of descriptors that are open already stay as they are. Needs no privilege, and cannot be
// taken back. A kernel has one of several versions (ABI); what it lacks is told, not required.
#pragma once

#include <string>
#include <vector>

#include "base/status.h"

namespace capsem {

// Paths that are not there are left out. A folder stands for all below it.
struct LandlockSpec {
  std::vector<std::string> read_write;  // all that one does with files, sockets and folders there
  std::vector<std::string> read_only;
  std::vector<std::string> execute;  // and read
  std::vector<std::string> devices;  // opened for reading and writing, and their ioctls
  std::vector<int> read_only_fds;    // what these are open on, for who opens /proc/self/fd/N
  int max_abi = 1'000'000;           // as on a kernel that has no later one
};

// Of this kernel; 0 = it has no Landlock, or it is switched off.
int LandlockAbi();

// For the calling thread and what it starts from then on, threads and processes: so before the
// first other thread. TCP, abstract sockets and signals to the outside are held back where the ABI
// can. The ABI that is in force; 0 = nothing is.
StatusOr<int> RestrictByLandlock(const LandlockSpec& spec);

// What the kernel of this ABI does not hold back, each a sentence.
std::vector<std::string> LandlockGaps(int abi);

}  // namespace capsem
