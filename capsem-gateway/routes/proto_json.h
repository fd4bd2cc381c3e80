// Messages as proto3's own JSON, by what the .proto files say of them: no field is named here.
// Pure.
//
// Read more strictly than protobuf's parser does, which takes text that is no JSON, and the last of
// two values: here every name comes once, is known, and stands for itself. Said with the names of
// the .proto files and every field present.
#pragma once

#include <google/protobuf/message.h>

#include <nlohmann/json.hpp>
#include <string>

#include "base/status.h"

namespace capsem::gateway {

// InvalidArgument: no JSON, no object, a key twice, or deeper than any message.
StatusOr<nlohmann::json> ParseJsonObject(const std::string& text);

// Sets the fields of `message` that are in `object`, under their lowerCamelCase or .proto names.
// InvalidArgument: a key that no field has (named; the remedy has those there are), one field under
// both names, a value of another kind. `more` names what the caller has taken out of the object.
Status FromJson(const nlohmann::json& object, google::protobuf::Message& message,
                std::string_view more = "");

StatusOr<std::string> ToJson(const google::protobuf::Message& message);

}  // namespace capsem::gateway
