// A file or a folder of this host, copied into a session. Links in a folder are copied as links.
#pragma once

#include <string>

#include "base/status.h"
#include "base/unique_fd.h"
#include "copy_from_guest.h"
#include "guest_files.h"
#include "progress.h"

namespace capsem::cli {

class CopyToGuest {
 public:
  CopyToGuest(GuestFiles& guest, Progress& progress) : guest_(guest), progress_(progress) {}

  // As CopyFromGuest::Copy, the other way.
  Status Copy(const std::string& source, const std::string& destination);
  // What comes from `fd`, as that file.
  Status CopyStream(int fd, const std::string& destination);
  const CopyTally& tally() const { return tally_; }

 private:
  StatusOr<std::string> PlaceOf(const std::string& destination, const std::string& name,
                                bool is_folder);
  Status CopyFile(int fd, const std::string& shown, const std::string& destination);
  Status CopyFolder(UniqueFd folder, const std::string& shown, const std::string& destination);
  Status CopyEntry(int folder, const std::string& name, const std::string& shown,
                   const std::string& destination);
  Status MakeFolder(const std::string& path, mode_t mode);

  GuestFiles& guest_;
  Progress& progress_;
  CopyTally tally_;
};

}  // namespace capsem::cli
