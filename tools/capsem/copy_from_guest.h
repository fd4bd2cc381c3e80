// A file or a folder of a session, copied to this host. Whatever a hostile guest says of its files,
// nothing is written outside the destination that the user named (host_folder).
#pragma once

#include <string>
#include <vector>

#include "base/status.h"
#include "guest_files.h"
#include "host_folder.h"
#include "progress.h"

namespace capsem::cli {

struct CopyTally {
  uint64_t files = 0, folders = 0, links = 0;
  std::vector<std::string> skipped = {};  // each a sentence
};

class CopyFromGuest {
 public:
  CopyFromGuest(GuestFiles& guest, Progress& progress) : guest_(guest), progress_(progress) {}

  // As cp does: into a destination that is a folder, else to it as the name. A folder is copied
  // with all it holds; with `/.` at the end of `source`, what it holds.
  Status Copy(const std::string& source, const std::string& destination);
  const CopyTally& tally() const { return tally_; }

 private:
  Status CopyFile(const std::string& source, const HostFolder& folder, const std::string& name);
  // `depth`: how far below the root of the copied tree.
  Status CopyFolder(const std::string& source, const HostFolder& folder, size_t depth);
  Status CopyEntry(const std::string& source, const v1::FileEntry& entry, const HostFolder& folder,
                   size_t depth);

  GuestFiles& guest_;
  Progress& progress_;
  CopyTally tally_;
};

}  // namespace capsem::cli
