#include "image/signed_folder.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/small_file.h"
#include "image/file_digest.h"
#include "image/signature.h"

namespace capsem::service {
namespace {

// A signature line has 202 bytes.
constexpr size_t kMaxSignatureBytes = 1024;

}  // namespace

StatusOr<SignedFolder> SignedFolder::Open(SignedFolderSpec spec) {
  SignedFolder folder(std::move(spec));
  const SignedFolderSpec& from = folder.spec_;
  folder.folder_.Reset(open(from.path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!folder.folder_.valid()) return FromErrno("open {}", from.path);
  const std::string text = TRY(folder.ReadPart(from.manifest_name, kMaxManifestBytes));
  const std::string signature = TRY(folder.ReadPart(from.signature_name, kMaxSignatureBytes));
  const TrustedKeys keys = TRY(TrustedKeys::Read(from.trusted_keys));
  const std::string name = fmt::format("{} of {}", from.manifest_name, from.what);
  // The signature first: what a stranger wrote is not even parsed.
  TRY(keys.Verify(text, signature, name));
  StatusOr<Manifest> manifest = ParseManifest(text);
  if (!manifest.ok()) return Annotate(manifest.status(), "{}", name);
  folder.manifest_ = *std::move(manifest);
  folder.digest_ = Sha256Hex(text);
  return folder;
}

StatusOr<UniqueFd> SignedFolder::OpenFile(const std::string& name,
                                          const VerdictCache& verdicts) const {
  File file = TRY(OpenUnverified(name));
  const StatusOr<std::string> digest = verdicts.Sha256Of(file.fd.get());
  if (!digest.ok()) return Annotate(digest.status(), "{} of {}", name, spec_.what);
  if (*digest != file.entry.sha256) {
    return DataLoss("{} of {} was changed: it is not as {} says", name, spec_.what,
                    spec_.manifest_name);
  }
  return std::move(file.fd);
}

Status SignedFolder::CheckFile(const std::string& name) const {
  return OpenUnverified(name).status();
}

StatusOr<std::string> SignedFolder::ReadPart(const char* name, size_t max_bytes) const {
  StatusOr<std::string> text = ReadSmallFile(folder_.get(), name, max_bytes);
  if (text.ok()) return text;
  if (text.status().code() == StatusCode::kNotFound) {
    return DataLoss("{} of {} is missing", name, spec_.what);
  }
  return Annotate(text.status(), "{}", spec_.what);
}

StatusOr<SignedFolder::File> SignedFolder::OpenUnverified(const std::string& name) const {
  const ManifestFile* entry = manifest_.Find(name);
  if (entry == nullptr) {
    return DataLoss("{} of {} is not listed in {}", name, spec_.what, spec_.manifest_name);
  }
  // NONBLOCK: a fifo in the file's place must not make us wait for a writer.
  UniqueFd fd(openat(folder_.get(), name.c_str(),
                     O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY));
  if (!fd.valid() && errno == ENOENT) return DataLoss("{} of {} is missing", name, spec_.what);
  if (!fd.valid()) return FromErrno("open {} of {}", name, spec_.what);
  struct stat found {};
  if (fstat(fd.get(), &found) != 0) return FromErrno("look at {} of {}", name, spec_.what);
  if (!S_ISREG(found.st_mode)) return DataLoss("{} of {} is not a file", name, spec_.what);
  if (static_cast<uint64_t>(found.st_size) != entry->size) {
    return DataLoss("{} of {} was changed: it has {} bytes instead of {}", name, spec_.what,
                    found.st_size, entry->size);
  }
  return File{std::move(fd), *entry};
}

}  // namespace capsem::service
