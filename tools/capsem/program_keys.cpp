#include "program_keys.h"

#include <fcntl.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/unique_fd.h"

namespace capsem::cli {
namespace {

namespace fs = std::filesystem;

// Whole or not at all: written beside its place, synced, renamed.
Status InstallKey(const fs::path& from, const fs::path& to) {
  std::ifstream file(from);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  if (!file.good() && !file.eof()) return Internal("{} cannot be read", from.string());
  const std::string fresh = to.string() + fmt::format(".new-{}", getpid());
  {
    const UniqueFd out(open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    if (!out.valid()) return FromErrno("write {}", fresh);
    const ssize_t count = write(out.get(), text.data(), text.size());
    if (count != static_cast<ssize_t>(text.size()) || fsync(out.get()) != 0) {
      const Status failed = FromErrno("write {}", fresh);
      unlink(fresh.c_str());
      return failed;
    }
  }
  if (rename(fresh.c_str(), to.c_str()) != 0) return FromErrno("rename {}", fresh);
  return OkStatus();
}

}  // namespace

Status TrustProgramKeys(const std::string& programs, const std::string& keys) {
  const fs::path source = fs::path(programs) / "trusted_keys.d";
  const fs::path target = fs::path(keys) / "trusted_keys.d";
  std::error_code none;
  for (const fs::directory_entry& entry : fs::directory_iterator(source, none)) {
    if (entry.path().extension() != ".pem") continue;
    std::error_code failed;
    if (fs::create_directories(target, failed))
      fs::permissions(target, fs::perms::owner_all, failed);
    if (failed) return ErrnoStatus(failed.value(), "make the folder " + target.string());
    const fs::path to = target / entry.path().filename();
    if (!fs::exists(to, failed)) TRY(InstallKey(entry.path(), to));
  }
  return OkStatus();
}

}  // namespace capsem::cli
