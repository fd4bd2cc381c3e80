// A folder with a signed manifest: an image, or our own programs. Nothing in it is used before the
// signature over the manifest and the file's digest in it hold.
//
// A file is opened once; what was hashed is the open descriptor, and that is what is handed on: who
// puts another file in its place afterwards changes nothing. Everything here blocks, for
// RunBlocking.
#pragma once

#include <string>

#include "base/status.h"
#include "base/unique_fd.h"
#include "image/manifest.h"
#include "image/verdict_cache.h"

namespace capsem::service {

// Where the manifest lies, and how the folder is called in errors ("image base").
struct SignedFolderSpec {
  std::string path;
  std::string what;
  const char* manifest_name;
  const char* signature_name;
  std::string trusted_keys;  // folder
};

class SignedFolder {
 public:
  // NotFound: there is no such folder. DataLoss: manifest or signature is missing, damaged or
  // foreign; the sentence names the file.
  static StatusOr<SignedFolder> Open(SignedFolderSpec spec);

  const Manifest& manifest() const { return manifest_; }
  // The sha256 of the manifest, in hex: the identity of all that is in the folder.
  const std::string& digest() const { return digest_; }

  // The open file, which is as the manifest says. DataLoss names the file that is not.
  StatusOr<UniqueFd> OpenFile(const std::string& name, const VerdictCache& verdicts) const;
  // DataLoss when the file is missing or of another size; does not read it.
  Status CheckFile(const std::string& name) const;

 private:
  struct File {
    UniqueFd fd;
    ManifestFile entry;
  };

  explicit SignedFolder(SignedFolderSpec spec) : spec_(std::move(spec)) {}
  StatusOr<std::string> ReadPart(const char* name, size_t max_bytes) const;
  StatusOr<File> OpenUnverified(const std::string& name) const;

  SignedFolderSpec spec_;
  UniqueFd folder_;
  Manifest manifest_;
  std::string digest_;
};

}  // namespace capsem::service
