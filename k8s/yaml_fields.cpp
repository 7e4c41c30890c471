#include "k8s/yaml_fields.h"

#include "base/encoding.h"

#include <algorithm>

namespace meshtrust::k8s {
namespace {

using Kind = YamlValue::Kind;

std::string quoted(std::string_view key) {
  return "'" + std::string(key) + "'";
}

/// What was found, in words; never the value itself.
std::string_view name_of(Kind kind) {
  switch (kind) {
    case Kind::kNull:
      return "nothing";
    case Kind::kBool:
      return "a bool";
    case Kind::kInteger:
    case Kind::kUnsigned:
    case Kind::kFloat:
      return "a number";
    case Kind::kString:
      return "a string";
    case Kind::kList:
      return "a list";
    case Kind::kMapping:
      break;
  }
  return "a mapping";
}

bool is_byte(const YamlValue& value) {
  return value.kind == Kind::kNull ||
         (value.kind == Kind::kInteger && value.integer >= 0 && value.integer <= 255);
}

}  // namespace

const YamlValue* YamlFields::find(const YamlValue& mapping, std::string_view key) {
  const YamlValue* found = mapping.find(key);
  return found == nullptr || found->kind == Kind::kNull ? nullptr : found;
}

void YamlFields::add_fault(const YamlValue& value, std::string message) {
  if (fault_) return;
  fault_ = base::Error{
      .code = base::Code::kInvalidInput,
      .message = std::move(message),
      .place = {.file = file_, .line = value.line, .column = value.column, .source_line = {}}};
}

std::string YamlFields::as_string(const YamlValue& value, std::string_view key) {
  if (value.kind == Kind::kString) return value.text;
  if (value.kind == Kind::kNull) return {};
  std::string message = quoted(key) + " is " + std::string(name_of(value.kind)) + ", wanted text";
  if (value.kind != Kind::kList && value.kind != Kind::kMapping) message += ": put it in quotes";
  add_fault(value, std::move(message));
  return {};
}

std::string YamlFields::string(const YamlValue& mapping, std::string_view key) {
  const YamlValue* value = find(mapping, key);
  return value == nullptr ? std::string() : as_string(*value, key);
}

bool YamlFields::boolean(const YamlValue& mapping, std::string_view key) {
  const YamlValue* value = find(mapping, key);
  if (value == nullptr) return false;
  if (value->kind == Kind::kBool) return value->truth;
  add_fault(*value, quoted(key) + " is " + std::string(name_of(value->kind)) +
                        ", wanted true or false without quotes");
  return false;
}

std::optional<std::vector<std::string>> YamlFields::strings(const YamlValue& mapping,
                                                            std::string_view key) {
  const auto* items = list(mapping, key);
  if (items == nullptr) return std::nullopt;
  std::vector<std::string> out;
  out.reserve(items->size());
  for (const YamlValue& item : *items) {
    out.push_back(as_string(item, key));
  }
  return out;
}

std::optional<std::string> YamlFields::data(const YamlValue& mapping, std::string_view key) {
  const YamlValue* value = find(mapping, key);
  if (value == nullptr) return std::nullopt;
  if (value->kind == Kind::kList &&
      std::all_of(value->items.begin(), value->items.end(), is_byte)) {
    base::Bytes bytes;
    for (const YamlValue& item : value->items) {
      bytes.push_back(static_cast<std::uint8_t>(item.integer));
    }
    return base::to_base64(bytes);
  }
  if (value->kind != Kind::kString) {
    add_fault(*value,
              quoted(key) + " is " + std::string(name_of(value->kind)) + ", wanted base64 text");
    return std::nullopt;
  }
  const auto bytes = base::secret_from_base64(value->text);
  if (!bytes) {
    add_fault(*value, quoted(key) + " " + bytes.error().message);
    return std::nullopt;
  }
  return base::to_base64(reveal_bytes(*bytes, "kubeconfig data, respelled"));
}

const std::vector<YamlValue>* YamlFields::list(const YamlValue& mapping, std::string_view key) {
  const YamlValue* value = find(mapping, key);
  if (value == nullptr) return nullptr;
  if (value->kind == Kind::kList) return &value->items;
  add_fault(*value, quoted(key) + " is " + std::string(name_of(value->kind)) + ", wanted a list");
  return nullptr;
}

const YamlValue* YamlFields::mapping(const YamlValue& mapping, std::string_view key) {
  const YamlValue* value = find(mapping, key);
  if (value == nullptr || value->kind == Kind::kMapping) return value;
  add_fault(*value,
            quoted(key) + " is " + std::string(name_of(value->kind)) + ", wanted a mapping");
  return nullptr;
}

}  // namespace meshtrust::k8s
