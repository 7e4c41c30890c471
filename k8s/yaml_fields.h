#pragma once

#include "base/error.h"
#include "k8s/yaml_value.h"

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace meshtrust::k8s {

/// Reads typed fields out of mappings of one file, as Kubernetes decodes JSON: null is the same as
/// absent, and nothing is converted. Keeps the first fault; after it every further answer may be
/// empty, so a reader can go on and look at `fault()` once at the end.
class YamlFields {
 public:
  explicit YamlFields(std::string file) : file_(std::move(file)) {}

  /// The value of `key`; null when absent or null.
  static const YamlValue* find(const YamlValue& mapping, std::string_view key);

  std::string string(const YamlValue& mapping, std::string_view key);
  bool boolean(const YamlValue& mapping, std::string_view key);
  /// Nothing when absent; a null in the list is an empty string.
  std::optional<std::vector<std::string>> strings(const YamlValue& mapping, std::string_view key);
  /// Bytes as base64, in its one proper spelling; nothing when absent. A fault never quotes them.
  std::optional<std::string> data(const YamlValue& mapping, std::string_view key);
  /// The items of a list, or null.
  const std::vector<YamlValue>* list(const YamlValue& mapping, std::string_view key);
  /// A mapping, or null.
  const YamlValue* mapping(const YamlValue& mapping, std::string_view key);

  void add_fault(const YamlValue& value, std::string message);
  const std::optional<base::Error>& fault() const { return fault_; }

 private:
  std::string as_string(const YamlValue& value, std::string_view key);

  std::string file_;
  std::optional<base::Error> fault_;
};

}  // namespace meshtrust::k8s
