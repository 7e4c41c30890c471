#pragma once

#include "base/error.h"
#include "base/yaml.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace meshtrust::k8s {

/// Whether YAML 1.1 takes the plain scalar `text` for a number or a bool, so that Kubernetes would
/// not accept it as a string. Dates are strings there.
bool is_not_a_string(std::string_view text);

/// Reads typed fields out of mappings of one file and keeps the first fault. After a fault every
/// further answer is empty, so a reader can go on and look at `fault()` once at the end.
class YamlFields {
 public:
  explicit YamlFields(std::string file) : file_(std::move(file)) {}

  /// The value of `key`: the last entry of that name, else what the merge keys (`<<`) bring. Null
  /// when absent or null.
  static const base::YamlNode* find(const base::YamlNode& mapping, std::string_view key);

  std::string string(const base::YamlNode& mapping, std::string_view key);
  /// Base64, checked and left as it is; a fault never quotes it.
  std::string data(const base::YamlNode& mapping, std::string_view key);
  bool boolean(const base::YamlNode& mapping, std::string_view key);
  std::vector<std::string> strings(const base::YamlNode& mapping, std::string_view key);
  /// The items of a list, or null.
  const std::vector<base::YamlNode>* list(const base::YamlNode& mapping, std::string_view key);
  /// A mapping, or null.
  const base::YamlNode* mapping(const base::YamlNode& mapping, std::string_view key);
  /// Every entry of a mapping, merge keys included, the last of a name only.
  static std::vector<std::pair<std::string, const base::YamlNode*>> entries(
      const base::YamlNode& mapping);

  std::string as_string(const base::YamlNode& node, std::string_view what);
  void add_fault(const base::YamlNode& node, std::string message);
  const std::optional<base::Error>& fault() const { return fault_; }

 private:
  std::string file_;
  std::optional<base::Error> fault_;
};

}  // namespace meshtrust::k8s
