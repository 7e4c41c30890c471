#pragma once

#include "base/json.h"
#include "base/result.h"
#include "base/yaml.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace meshtrust::k8s {

struct YamlMember;

/// A YAML document as Kubernetes takes it: turned into what JSON can say, by YAML 1.1 as its Go
/// parser knows it. Merge keys are applied in the order of the text, of a repeated key the last one
/// wins, plain scalars have types (`010` is 8, `yes` is true, a date is a string), and keys that
/// are numbers or words of truth have become strings. Every value knows its place.
struct YamlValue {
  enum class Kind { kNull, kBool, kInteger, kUnsigned, kFloat, kString, kList, kMapping };

  Kind kind = Kind::kNull;
  int line = 0;    ///< from 1
  int column = 0;  ///< from 1
  bool truth = false;
  std::int64_t integer = 0;
  std::uint64_t unsigned_integer = 0;  ///< of kUnsigned: what does not fit `integer`
  double number = 0;
  std::string text;                 ///< of a string
  std::vector<YamlValue> items;     ///< of a list
  std::vector<YamlMember> members;  ///< of a mapping, each key once

  /// The value of `key`; null when there is none.
  const YamlValue* find(std::string_view key) const;
};

struct YamlMember {
  std::string key;
  YamlValue value;
};

/// What the first document of `text` says; a null value when there is none. kInvalidInput with the
/// place in `file` for what is no YAML, no UTF-8, beyond the limits of `base::YamlLimits`, or has
/// no form in JSON (a list as a key, an infinite number). The message never quotes the text.
base::Result<YamlValue> read_yaml_value(std::string_view file, std::string_view text);

/// Likewise of every document, all within `limits` together.
base::Result<std::vector<YamlValue>> read_yaml_values(std::string_view file,
                                                      std::string_view text,
                                                      const base::YamlLimits& limits);

/// What YAML 1.1 makes of the plain scalar `text`, without a place.
YamlValue plain_value(std::string_view text);

/// The same value as JSON.
base::Json to_json(const YamlValue& value);

}  // namespace meshtrust::k8s
