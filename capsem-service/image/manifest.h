// What a signed folder says of itself: its files with their digests, and for an image its kernel
// and packages. Read from JSON that tools/image writes; pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace capsem::service {

// Two hundred packages make 15 KiB.
inline constexpr size_t kMaxManifestBytes = 1024 * 1024;
inline constexpr int kManifestFormat = 1;

struct ManifestFile {
  std::string name;  // no path: it lies beside the manifest
  std::string sha256;
  uint64_t size = 0;  // bytes
};

struct ManifestPackage {
  std::string name;
  std::string version;
};

struct Manifest {
  std::string name;
  int64_t created_unix_s = 0;
  std::string kernel_release;  // "" when it is not an image
  std::vector<ManifestFile> files;
  std::vector<ManifestPackage> packages;

  // Null when it does not list such a file.
  const ManifestFile* Find(std::string_view file) const;
};

// DataLoss when it is not a manifest; FailedPrecondition when a newer Capsem wrote it.
StatusOr<Manifest> ParseManifest(std::string_view text);

}  // namespace capsem::service
