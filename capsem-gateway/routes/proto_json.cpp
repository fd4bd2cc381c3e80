#include "routes/proto_json.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/util/json_util.h>

#include <set>
#include <vector>

#include "base/planted.h"

namespace capsem::gateway {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using Json = nlohmann::json;

// Of objects and lists in each other; a message of ours has half as many. Printing is recursive.
constexpr int kMaxDepth = 16;

const FieldDescriptor* FindField(const Descriptor& type, const std::string& key) {
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor& field = *type.field(i);
    if (field.name() == key || field.json_name() == key) return &field;
  }
  return nullptr;
}

std::string NamesOf(const Descriptor& type, std::string_view more) {
  std::string names(more);
  for (int i = 0; i < type.field_count(); ++i) {
    names += fmt::format("{}{}", names.empty() ? "" : ", ", type.field(i)->json_name());
  }
  return names;
}

Status CheckKeys(const Json& value, const Descriptor& type, std::string_view more = "");

Status CheckKey(const FieldDescriptor* field, const Json& value,
                std::set<const FieldDescriptor*>& seen) {
  if (!seen.insert(field).second) {
    return WithRemedy(InvalidArgument("\"{}\" comes twice, by both of its names", field->name()),
                      fmt::format("send one \"{}\"", field->json_name()));
  }
  // protobuf would take one value for a list of it.
  if (!value.is_null() && value.is_array() != field->is_repeated()) {
    return InvalidArgument("\"{}\" must be {}", field->json_name(),
                           field->is_repeated() ? "a list" : "one value, not a list");
  }
  if (field->message_type() == nullptr) return OkStatus();
  if (!value.is_array()) return CheckKeys(value, *field->message_type());
  for (const Json& element : value) TRY(CheckKeys(element, *field->message_type()));
  return OkStatus();
}

// What is no object is left to protobuf, which knows what is wanted instead.
Status CheckKeys(const Json& value, const Descriptor& type, std::string_view more) {
  if (!value.is_object()) return OkStatus();
  std::set<const FieldDescriptor*> seen;
  for (const auto& [key, part] : value.items()) {
    const FieldDescriptor* field = FindField(type, key);
    if (field == nullptr && !PLANTED(3)) {  // Planted 3: all keys are known.
      return WithRemedy(InvalidArgument("the key \"{}\" is unknown", key),
                        fmt::format("there are {}", NamesOf(type, more)));
    }
    TRY(CheckKey(field, part, seen));
  }
  return OkStatus();
}

}  // namespace

StatusOr<Json> ParseJsonObject(const std::string& text) {
  std::vector<std::set<std::string>> keys;
  bool twice = false;
  bool deep = false;
  const auto look = [&](int depth, Json::parse_event_t event, const Json& value) {
    if (depth >= kMaxDepth) deep = true;
    if (event == Json::parse_event_t::object_start) keys.emplace_back();
    if (event == Json::parse_event_t::object_end) keys.pop_back();
    // nlohmann takes the last of two equal keys; others take the first.
    if (event == Json::parse_event_t::key) {
      twice = !keys.back().insert(value.get<std::string>()).second || twice;
    }
    return true;
  };
  Json json = Json::parse(text, look, /*allow_exceptions=*/false);
  if (json.is_discarded()) return InvalidArgument("the body is no JSON");
  // Planted 2: a body is an object.
  if (!json.is_object() && !PLANTED(2)) return InvalidArgument("the body is no JSON object");
  if (twice) return InvalidArgument("a key of the body comes twice");
  if (deep) return InvalidArgument("the body is deeper than {} lists and objects", kMaxDepth);
  return json;
}

Status FromJson(const Json& object, google::protobuf::Message& message, std::string_view more) {
  TRY(CheckKeys(object, *message.GetDescriptor(), more));
  const auto read = google::protobuf::util::JsonStringToMessage(object.dump(), &message);
  if (read.ok()) return OkStatus();
  return WithRemedy(InvalidArgument("the body is no {}: {}", message.GetDescriptor()->full_name(),
                                    std::string_view(read.message().data(), read.message().size())),
                    "docs/http.md has what is sent");
}

StatusOr<std::string> ToJson(const google::protobuf::Message& message) {
  google::protobuf::util::JsonPrintOptions options;
  options.always_print_primitive_fields = true;
  options.preserve_proto_field_names = true;
  std::string text;
  if (google::protobuf::util::MessageToJsonString(message, &text, options).ok()) return text + '\n';
  return Internal("a {} cannot be said in JSON", message.GetDescriptor()->full_name());
}

}  // namespace capsem::gateway
