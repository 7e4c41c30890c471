#include "k8s/yaml_value.h"

#include "base/encoding.h"
#include "base/utf8.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <unordered_map>
#include <utility>

namespace meshtrust::k8s {
namespace {

using base::Code;
using base::Error;
using base::fail;
using base::Result;
using base::YamlNode;
using Kind = YamlValue::Kind;

constexpr std::string_view kStandardTag = "tag:yaml.org,2002:";

/// The place of the byte at `offset`.
base::Place place_of(std::string_view file, std::string_view text, std::size_t offset) {
  base::Place place{.file = std::string(file), .line = 1, .column = 1, .source_line = {}};
  for (const char c : text.substr(0, offset)) {
    if (c == '\n') {
      ++place.line;
      place.column = 1;
    } else if ((static_cast<unsigned char>(c) & 0xC0U) != 0x80U) {
      ++place.column;
    }
  }
  return place;
}

/// The first control character that YAML does not allow; DEL and the C1 ones but for NEL count.
std::size_t find_control_character(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte == 0x7f || (byte < 0x20 && byte != '\t' && byte != '\n' && byte != '\r')) return i;
    if (byte != 0xc2 || i + 1 == text.size()) continue;
    const auto next = static_cast<unsigned char>(text[i + 1]);
    if (next < 0xa0 && next != 0x85) return i;
  }
  return std::string_view::npos;
}

base::Status check_characters(std::string_view file, std::string_view text) {
  const bool is_utf16 = text.starts_with("\xFF\xFE") || text.starts_with("\xFE\xFF");
  if (is_utf16) return {};
  const auto fault = [&](std::size_t offset, const char* message) {
    return fail(Error{
        .code = Code::kInvalidInput, .message = message, .place = place_of(file, text, offset)});
  };
  if (const auto at = base::find_non_utf8(text); at != std::string_view::npos) {
    return fault(at, "not YAML: not UTF-8");
  }
  if (const auto at = find_control_character(text); at != std::string_view::npos) {
    return fault(at, "not YAML: a control character");
  }
  return {};
}

/// How a number that serves as a key reads: the shortest digits of single precision.
std::string float_key(double number) {
  if (std::isnan(number)) return ".nan";
  if (std::isinf(number)) return number > 0 ? ".inf" : "-.inf";
  std::array<char, 64> buffer{};
  const auto narrow = static_cast<float>(number);
  const double size = std::fabs(static_cast<double>(narrow));
  const bool plain = size == 0 || (size >= 1e-4 && size < 1e6);
  const auto format = plain ? std::chars_format::fixed : std::chars_format::scientific;
  const auto [end, error] =
      std::to_chars(buffer.data(), buffer.data() + buffer.size(), narrow, format);
  return {buffer.data(), error == std::errc() ? end : buffer.data()};
}

class Converter {
 public:
  explicit Converter(std::string_view file) : file_(file) {}

  YamlValue convert(const YamlNode& node) {
    YamlValue value;
    if (node.kind == YamlNode::Kind::kSequence) {
      value.kind = Kind::kList;
      value.items.reserve(node.items.size());
      for (const YamlNode& item : node.items) {
        value.items.push_back(convert(item));
      }
    } else if (node.kind == YamlNode::Kind::kMapping) {
      value.kind = Kind::kMapping;
      Index index;
      add_all(value, index, node);
    } else if (node.kind == YamlNode::Kind::kScalar) {
      value = scalar(node);
      if (value.kind == Kind::kFloat && !std::isfinite(value.number)) {
        add_fault(node, "a number that is not finite");
      }
    }
    value.line = node.line;
    value.column = node.column;
    return value;
  }

  const std::optional<Error>& fault() const { return fault_; }

 private:
  using Index = std::unordered_map<std::string, std::size_t>;

  void add_fault(const YamlNode& node, const char* message) {
    if (fault_) return;
    fault_ = Error{.code = Code::kInvalidInput,
                   .message = message,
                   .place = {.file = std::string(file_),
                             .line = node.line,
                             .column = node.column,
                             .source_line = {}}};
  }

  void add_all(YamlValue& into, Index& index, const YamlNode& mapping) {
    for (const auto& [key, value] : mapping.entries) {
      const bool is_merge = key.kind == YamlNode::Kind::kScalar && key.scalar == "<<" &&
                            (key.plain || key.tag == "tag:yaml.org,2002:merge");
      if (is_merge) {
        merge(into, index, value);
        continue;
      }
      const auto name = key_text(key);
      if (!name) return;
      const auto [at, is_new] = index.try_emplace(*name, into.members.size());
      if (is_new) into.members.push_back({.key = *name, .value = {}});
      into.members[at->second].value = convert(value);
    }
  }

  /// Of several mappings the first one counts most, so it is written last.
  void merge(YamlValue& into, Index& index, const YamlNode& value) {
    const bool is_list = value.kind == YamlNode::Kind::kSequence;
    const bool fits =
        value.kind == YamlNode::Kind::kMapping ||
        (is_list && std::all_of(value.items.begin(), value.items.end(), [](const YamlNode& item) {
           return item.kind == YamlNode::Kind::kMapping;
         }));
    if (!fits) return add_fault(value, "a merge key ('<<') takes a mapping or a list of mappings");
    if (!is_list) return add_all(into, index, value);
    std::for_each(value.items.rbegin(), value.items.rend(),
                  [&](const YamlNode& item) { add_all(into, index, item); });
  }

  std::optional<std::string> key_text(const YamlNode& key) {
    const bool is_scalar = key.kind == YamlNode::Kind::kScalar;
    const YamlValue value = is_scalar ? scalar(key) : YamlValue{};
    switch (value.kind) {
      case Kind::kString:
        return value.text;
      case Kind::kBool:
        return value.truth ? "true" : "false";
      case Kind::kInteger:
        return std::to_string(value.integer);
      case Kind::kFloat:
        return float_key(value.number);
      default:
        add_fault(key, "a key that is neither text nor a number");
        return std::nullopt;
    }
  }

  YamlValue scalar(const YamlNode& node) {
    if (node.plain) return plain_value(node.scalar);
    YamlValue text;
    text.kind = Kind::kString;
    text.text = node.scalar;
    std::string_view tag = node.tag;
    if (!tag.starts_with(kStandardTag)) return text;
    tag.remove_prefix(kStandardTag.size());
    if (tag == "binary") return binary(node);
    const YamlValue meant = plain_value(node.scalar);
    const bool is_integer = meant.kind == Kind::kInteger || meant.kind == Kind::kUnsigned;
    if (tag == "float" && meant.kind == Kind::kInteger) {
      text.kind = Kind::kFloat;
      text.number = static_cast<double>(meant.integer);
      return text;
    }
    const bool fits = (tag == "int" && is_integer) ||
                      (tag == "float" && meant.kind == Kind::kFloat) ||
                      (tag == "bool" && meant.kind == Kind::kBool) ||
                      (tag == "null" && meant.kind == Kind::kNull);
    if (fits) return meant;
    if (tag == "int" || tag == "float" || tag == "bool" || tag == "null") {
      add_fault(node, "a value that is not what its tag says");
    }
    return text;
  }

  YamlValue binary(const YamlNode& node) {
    YamlValue value;
    value.kind = Kind::kString;
    const auto bytes = base::from_base64(node.scalar);
    if (!bytes) {
      add_fault(node, "a '!!binary' value that is not base64");
    } else {
      value.text.assign(bytes->begin(), bytes->end());
    }
    return value;
  }

  std::string_view file_;
  std::optional<Error> fault_;
};

/// Without the line's text: it may be a token.
Error without_source(Error error) {
  error.code = Code::kInvalidInput;
  error.place.source_line.clear();
  return error;
}

}  // namespace

const YamlValue* YamlValue::find(std::string_view key) const {
  for (const YamlMember& member : members) {
    if (member.key == key) return &member.value;
  }
  return nullptr;
}

namespace {

Result<YamlValue> value_of(std::string_view file, const YamlNode& document) {
  Converter converter(file);
  YamlValue value = converter.convert(document);
  if (converter.fault()) return fail(*converter.fault());
  return value;
}

}  // namespace

Result<YamlValue> read_yaml_value(std::string_view file, std::string_view text) {
  MESHTRUST_TRY_DO(check_characters(file, text));
  auto document = base::parse_first_yaml(file, text);
  if (!document) return fail(without_source(std::move(document).error()));
  if (!*document) return YamlValue{};
  return value_of(file, **document);
}

Result<std::vector<YamlValue>> read_yaml_values(std::string_view file,
                                                std::string_view text,
                                                const base::YamlLimits& limits) {
  MESHTRUST_TRY_DO(check_characters(file, text));
  auto documents = base::parse_yaml(file, text, limits);
  if (!documents) return fail(without_source(std::move(documents).error()));
  std::vector<YamlValue> values;
  for (const YamlNode& document : *documents) {
    MESHTRUST_TRY(YamlValue value, value_of(file, document));
    values.push_back(std::move(value));
  }
  return values;
}

base::Json to_json(const YamlValue& value) {
  switch (value.kind) {
    case Kind::kNull:
      return nullptr;
    case Kind::kBool:
      return value.truth;
    case Kind::kInteger:
      return value.integer;
    case Kind::kUnsigned:
      return value.unsigned_integer;
    case Kind::kFloat:
      return value.number;
    case Kind::kString:
      return value.text;
    case Kind::kList: {
      base::Json list = base::Json::array();
      for (const YamlValue& item : value.items) {
        list.push_back(to_json(item));
      }
      return list;
    }
    case Kind::kMapping:
      break;
  }
  base::Json object = base::Json::object();
  for (const YamlMember& member : value.members) {
    object[member.key] = to_json(member.value);
  }
  return object;
}

}  // namespace meshtrust::k8s
