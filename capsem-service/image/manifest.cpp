#include "image/manifest.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace capsem::service {
namespace {

using Json = nlohmann::json;

constexpr size_t kMaxNameBytes = 255;
constexpr size_t kSha256HexBytes = 64;

// The field, or null when there is none of that name. nlohmann's own access throws.
const Json* Field(const Json& object, const char* name) {
  const auto found = object.is_object() ? object.find(name) : object.end();
  return found == object.end() ? nullptr : &*found;
}

StatusOr<std::string> Text(const Json& object, const char* name) {
  const Json* field = Field(object, name);
  if (field == nullptr || !field->is_string()) return DataLoss("\"{}\" is missing", name);
  std::string text = field->get<std::string>();
  if (text.empty() || text.size() > kMaxNameBytes) return DataLoss("\"{}\" is too long", name);
  return text;
}

StatusOr<uint64_t> Number(const Json& object, const char* name) {
  const Json* field = Field(object, name);
  if (field == nullptr || !field->is_number_unsigned()) return DataLoss("\"{}\" is missing", name);
  return field->get<uint64_t>();
}

bool IsHexDigest(std::string_view text) {
  return text.size() == kSha256HexBytes && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

StatusOr<ManifestFile> ParseFile(const Json& json) {
  ManifestFile file{TRY(Text(json, "name")), TRY(Text(json, "sha256")), TRY(Number(json, "size"))};
  if (file.name.find('/') != std::string::npos || file.name == "." || file.name == "..") {
    return DataLoss("\"{}\" is not the name of a file beside it", file.name);
  }
  if (!IsHexDigest(file.sha256)) return DataLoss("the sha256 of {} is none", file.name);
  return file;
}

StatusOr<ManifestPackage> ParsePackage(const Json& json) {
  return ManifestPackage{TRY(Text(json, "name")), TRY(Text(json, "version"))};
}

template <typename T>
StatusOr<std::vector<T>> ParseList(const Json* list, StatusOr<T> (*parse)(const Json&)) {
  std::vector<T> values;
  if (list == nullptr) return values;
  if (!list->is_array()) return DataLoss("a list is no list");
  for (const Json& json : *list) values.push_back(TRY(parse(json)));
  return values;
}

}  // namespace

const ManifestFile* Manifest::Find(std::string_view file) const {
  const auto found = std::find_if(files.begin(), files.end(),
                                  [&](const ManifestFile& entry) { return entry.name == file; });
  return found == files.end() ? nullptr : &*found;
}

StatusOr<Manifest> ParseManifest(std::string_view text) {
  if (text.size() > kMaxManifestBytes) {
    return DataLoss("it has {} bytes, and {} are the most", text.size(), kMaxManifestBytes);
  }
  const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded() || !json.is_object()) return DataLoss("it is not JSON");
  const uint64_t format = TRY(Number(json, "format"));
  if (format != kManifestFormat) {
    return WithRemedy(FailedPrecondition("its format is {}, and this Capsem reads format {}",
                                         format, kManifestFormat),
                      "build it again with this Capsem");
  }
  Manifest manifest;
  manifest.name = TRY(Text(json, "name"));
  if (Field(json, "kernel_release") != nullptr) {
    manifest.kernel_release = TRY(Text(json, "kernel_release"));
    manifest.created_unix_s = static_cast<int64_t>(TRY(Number(json, "created")) & INT64_MAX);
  }
  manifest.files = TRY(ParseList(Field(json, "files"), &ParseFile));
  if (manifest.files.empty()) return DataLoss("it lists no file");
  manifest.packages = TRY(ParseList(Field(json, "packages"), &ParsePackage));
  return manifest;
}

}  // namespace capsem::service
