#include "message_json.h"

#include <google/protobuf/descriptor.h>

namespace capsem::cli {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using Json = nlohmann::ordered_json;

// "SessionState" → "SESSION_STATE_".
std::string PrefixOf(const std::string& type) {
  std::string prefix;
  for (const char c : type) {
    const bool upper = c >= 'A' && c <= 'Z';
    if (upper && !prefix.empty()) prefix += '_';
    prefix += upper ? c : static_cast<char>(c - 'a' + 'A');
  }
  return prefix + '_';
}

// One value: of a plain field, or, with `index`, of a repeated one.
Json Value(const Message& message, const FieldDescriptor& field, int index) {
  const auto& all = *message.GetReflection();
  const bool many = index >= 0;
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_BOOL:
      return many ? all.GetRepeatedBool(message, &field, index) : all.GetBool(message, &field);
    case FieldDescriptor::CPPTYPE_INT32:
      return many ? all.GetRepeatedInt32(message, &field, index) : all.GetInt32(message, &field);
    case FieldDescriptor::CPPTYPE_UINT32:
      return many ? all.GetRepeatedUInt32(message, &field, index) : all.GetUInt32(message, &field);
    case FieldDescriptor::CPPTYPE_INT64:
      return many ? all.GetRepeatedInt64(message, &field, index) : all.GetInt64(message, &field);
    case FieldDescriptor::CPPTYPE_UINT64:
      return many ? all.GetRepeatedUInt64(message, &field, index) : all.GetUInt64(message, &field);
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return many ? all.GetRepeatedDouble(message, &field, index) : all.GetDouble(message, &field);
    case FieldDescriptor::CPPTYPE_FLOAT:
      return many ? all.GetRepeatedFloat(message, &field, index) : all.GetFloat(message, &field);
    case FieldDescriptor::CPPTYPE_STRING:
      return many ? all.GetRepeatedString(message, &field, index) : all.GetString(message, &field);
    case FieldDescriptor::CPPTYPE_ENUM:
      return EnumText(*field.enum_type(), many ? all.GetRepeatedEnumValue(message, &field, index)
                                               : all.GetEnumValue(message, &field));
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return ToJson(many ? all.GetRepeatedMessage(message, &field, index)
                         : all.GetMessage(message, &field));
  }
  return nullptr;
}

}  // namespace

std::string EnumText(const google::protobuf::EnumDescriptor& type, int number) {
  const auto* value = type.FindValueByNumber(number);
  if (value == nullptr) return std::to_string(number);
  const std::string prefix = PrefixOf(type.name());
  std::string text = value->name();
  if (text.rfind(prefix, 0) == 0) text.erase(0, prefix.size());
  for (char& c : text) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return text;
}

Json ToJson(const Message& message) {
  Json json = Json::object();
  const auto& type = *message.GetDescriptor();
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor& field = *type.field(i);
    Json& entry = json[field.name()];
    if (!field.is_repeated()) {
      entry = Value(message, field, -1);
      continue;
    }
    entry = Json::array();
    const int count = message.GetReflection()->FieldSize(message, &field);
    for (int k = 0; k < count; ++k) entry.push_back(Value(message, field, k));
  }
  return json;
}

}  // namespace capsem::cli
