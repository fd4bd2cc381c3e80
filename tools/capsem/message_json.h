// Messages of the API as JSON for scripts: the field names of the .proto files, every field
// present, enumerators without their prefix and in lower case (SESSION_STATE_RUNNING → "running").
#pragma once

#include <google/protobuf/message.h>

#include <nlohmann/json.hpp>
#include <string>

namespace capsem::cli {

nlohmann::ordered_json ToJson(const google::protobuf::Message& message);
// The enumerator alone, for tables: "running".
std::string EnumText(const google::protobuf::EnumDescriptor& type, int number);

}  // namespace capsem::cli
