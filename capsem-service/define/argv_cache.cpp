#include "define/argv_cache.h"

#include <sys/stat.h>

#include <cstdint>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "base/small_file.h"
#include "define/argv_rules.h"

namespace capsem::service {
namespace {

using nlohmann::json;

// FNV-1a. Only a file's name comes from it: the whole XML stands inside and is compared.
std::string PathOf(const std::string& folder, const std::string& xml) {
  uint64_t hash = 0xcbf29ce484222325;
  for (const char c : xml) hash = (hash ^ static_cast<uint8_t>(c)) * 0x100000001b3;
  return fmt::format("{}/{:016x}.json", folder, hash);
}

// Size and time of change, as make would look at a file; null when it is gone.
json IdentityOf(const std::string& path) {
  struct stat info;
  if (stat(path.c_str(), &info) != 0) return nullptr;
  return {{"path", path},
          {"size", info.st_size},
          {"mtime", fmt::format("{}.{:09}", info.st_mtim.tv_sec, info.st_mtim.tv_nsec)}};
}

json KeyOf(const std::string& xml) { return {{"rules", kArgvRulesVersion}, {"xml", xml}}; }

bool IsTextArray(const json& value) {
  return value.is_array() && !value.empty() &&
         std::all_of(value.begin(), value.end(), [](const json& item) { return item.is_string(); });
}

bool StillTrue(const json& entry, const std::string& xml) {
  if (!entry.is_object() || entry.value("key", json()) != KeyOf(xml)) return false;
  const json files = entry.value("files", json());
  return files.is_array() && std::all_of(files.begin(), files.end(), [](const json& file) {
           const json path = file.is_object() ? file.value("path", json()) : json();
           return path.is_string() && IdentityOf(path.get<std::string>()) == file;
         });
}

std::string TextOf(const json& entry, const char* key) {
  const json text = entry.value(key, json());
  return text.is_string() ? text.get<std::string>() : "";
}

}  // namespace

std::optional<CompiledShape> LoadShape(const std::string& folder, const std::string& xml) {
  std::ifstream file(PathOf(folder, xml));
  const json entry = json::parse(file, nullptr, /*allow_exceptions=*/false);
  if (!StillTrue(entry, xml) || !IsTextArray(entry.value("argv", json()))) return std::nullopt;
  CompiledShape shape;
  entry["argv"].get_to(shape.argv);
  shape.qemu_version = TextOf(entry, "qemu");
  shape.libvirt_version = TextOf(entry, "libvirt");
  for (const json& used : entry["files"]) shape.files.push_back(used["path"]);
  return shape;
}

Status StoreShape(const std::string& folder, const std::string& xml, const CompiledShape& shape) {
  json files = json::array();
  for (const std::string& path : shape.files) {
    json identity = IdentityOf(path);
    if (identity.is_null()) return NotFound("{} has gone since libvirt used it", path);
    files.push_back(std::move(identity));
  }
  const json entry = {{"key", KeyOf(xml)},
                      {"files", files},
                      {"qemu", shape.qemu_version},
                      {"libvirt", shape.libvirt_version},
                      {"argv", shape.argv}};
  if (mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) return FromErrno("make {}", folder);
  return WriteSmallFile(PathOf(folder, xml),
                        entry.dump(1, ' ', false, json::error_handler_t::replace) + "\n");
}

}  // namespace capsem::service
