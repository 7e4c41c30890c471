#include "k8s/yaml_fields.h"

#include "base/encoding.h"

#include <algorithm>
#include <array>
#include <cctype>

namespace meshtrust::k8s {
namespace {

using base::YamlNode;

constexpr std::array<std::string_view, 11> kTrue = {"y",    "Y",    "yes", "Yes", "YES", "true",
                                                    "True", "TRUE", "on",  "On",  "ON"};
constexpr std::array<std::string_view, 11> kFalse = {"n",     "N",     "no",  "No",  "NO", "false",
                                                     "False", "FALSE", "off", "Off", "OFF"};

bool is_one_of(std::string_view text, const std::array<std::string_view, 11>& words) {
  return std::find(words.begin(), words.end(), text) != words.end();
}

bool all_of(std::string_view text, std::string_view allowed) {
  return !text.empty() && text.find_first_not_of(allowed) == std::string_view::npos;
}

/// Takes the digits at the front and says how many there were.
std::size_t take_digits(std::string_view& text) {
  const std::size_t count = std::min(text.find_first_not_of("0123456789"), text.size());
  text.remove_prefix(count);
  return count;
}

bool is_decimal(std::string_view text) {
  const std::size_t whole = take_digits(text);
  std::size_t fraction = 0;
  if (text.starts_with('.')) {
    text.remove_prefix(1);
    fraction = take_digits(text);
  }
  if (whole + fraction == 0) return false;
  if (text.starts_with('e') || text.starts_with('E')) {
    text.remove_prefix(1);
    if (text.starts_with('+') || text.starts_with('-')) text.remove_prefix(1);
    if (take_digits(text) == 0) return false;
  }
  return text.empty();
}

bool is_number(std::string_view original) {
  std::string plain(original);
  std::erase(plain, '_');
  std::string_view text = plain;
  if (text.starts_with('+') || text.starts_with('-')) text.remove_prefix(1);
  if (text.starts_with("0x")) return all_of(text.substr(2), "0123456789abcdefABCDEF");
  if (text.starts_with("0b")) return all_of(text.substr(2), "01");
  if (text.starts_with("0o")) return all_of(text.substr(2), "01234567");
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return lower == ".inf" || lower == ".nan" || is_decimal(text);
}

}  // namespace

bool is_not_a_string(std::string_view text) {
  return is_one_of(text, kTrue) || is_one_of(text, kFalse) || is_number(text);
}

const YamlNode* YamlFields::find(const YamlNode& mapping, std::string_view key) {
  const YamlNode* found = mapping.find(key);
  if (found != nullptr) return found->kind == YamlNode::Kind::kNull ? nullptr : found;
  const YamlNode* merged = mapping.find("<<");
  if (merged == nullptr) return nullptr;
  if (merged->kind == YamlNode::Kind::kMapping) return find(*merged, key);
  for (const YamlNode& item : merged->items) {
    if (const YamlNode* inherited = find(item, key)) return inherited;
  }
  return nullptr;
}

std::vector<std::pair<std::string, const YamlNode*>> YamlFields::entries(const YamlNode& mapping) {
  std::vector<std::pair<std::string, const YamlNode*>> out;
  const auto add_all = [&](const YamlNode& from, const auto& self) -> void {
    for (const auto& [key, value] : from.entries) {
      if (key.scalar == "<<") {
        self(value, self);
        for (const YamlNode& item : value.items) {
          self(item, self);
        }
        continue;
      }
      const auto known = std::find_if(
          out.begin(), out.end(), [&name = key.scalar](const auto& e) { return e.first == name; });
      if (known == out.end()) out.emplace_back(key.scalar, find(mapping, key.scalar));
    }
  };
  add_all(mapping, add_all);
  return out;
}

void YamlFields::add_fault(const YamlNode& node, std::string message) {
  if (fault_) return;
  fault_ = base::Error{
      .code = base::Code::kInvalidInput,
      .message = std::move(message),
      .place = {.file = file_, .line = node.line, .column = node.column, .source_line = {}}};
}

std::string YamlFields::as_string(const YamlNode& node, std::string_view what) {
  const std::string name = "'" + std::string(what) + "'";
  if (node.kind == YamlNode::Kind::kNull) return {};
  if (node.kind != YamlNode::Kind::kScalar) {
    add_fault(node, name + " is not a string");
    return {};
  }
  if (node.plain && is_not_a_string(node.scalar)) {
    add_fault(node, name + " is a number or a bool, found where a string is due: put it in quotes");
    return {};
  }
  return node.scalar;
}

std::string YamlFields::string(const YamlNode& mapping, std::string_view key) {
  const YamlNode* node = find(mapping, key);
  return node == nullptr ? std::string() : as_string(*node, key);
}

std::string YamlFields::data(const YamlNode& mapping, std::string_view key) {
  std::string text = string(mapping, key);
  if (!base::secret_from_base64(text)) {
    add_fault(*find(mapping, key), "'" + std::string(key) + "' is not base64");
    return {};
  }
  return text;
}

bool YamlFields::boolean(const YamlNode& mapping, std::string_view key) {
  const YamlNode* node = find(mapping, key);
  if (node == nullptr) return false;
  const bool is_scalar = node->kind == YamlNode::Kind::kScalar && node->plain;
  if (is_scalar && is_one_of(node->scalar, kTrue)) return true;
  if (is_scalar && is_one_of(node->scalar, kFalse)) return false;
  add_fault(*node, "'" + std::string(key) + "' is neither true nor false");
  return false;
}

const std::vector<YamlNode>* YamlFields::list(const YamlNode& mapping, std::string_view key) {
  const YamlNode* node = find(mapping, key);
  if (node == nullptr) return nullptr;
  if (node->kind == YamlNode::Kind::kSequence) return &node->items;
  add_fault(*node, "'" + std::string(key) + "' is not a list");
  return nullptr;
}

const YamlNode* YamlFields::mapping(const YamlNode& mapping, std::string_view key) {
  const YamlNode* node = find(mapping, key);
  if (node == nullptr || node->kind == YamlNode::Kind::kMapping) return node;
  add_fault(*node, "'" + std::string(key) + "' is not a mapping");
  return nullptr;
}

std::vector<std::string> YamlFields::strings(const YamlNode& mapping, std::string_view key) {
  std::vector<std::string> out;
  const auto* items = list(mapping, key);
  if (items == nullptr) return out;
  for (const YamlNode& item : *items) {
    out.push_back(as_string(item, key));
  }
  return out;
}

}  // namespace meshtrust::k8s
