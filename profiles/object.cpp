#include "profiles/object.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <string_view>
#include <utility>

namespace meshtrust::profiles {
namespace {

using base::Json;

/// The lists whose items server-side apply merges, and by which key.
constexpr std::array<std::pair<std::string_view, std::string_view>, 9> kMergedLists{{
    {"containers", "name"},
    {"env", "name"},
    {"imagePullSecrets", "name"},
    {"initContainers", "name"},
    {"listeners", "name"},
    {"ports", "name"},
    {"ports", "containerPort"},
    {"volumeMounts", "mountPath"},
    {"volumes", "name"},
}};

bool all_have(const Json& list, std::string_view key) {
  return std::all_of(list.begin(), list.end(),
                     [key](const Json& item) { return item.is_object() && item.contains(key); });
}

/// The key by which the items of the list `field` are found; nothing for one that counts as a
/// whole.
std::optional<std::string_view> merge_key(std::string_view field, const Json& desired) {
  for (const auto& [list, key] : kMergedLists) {
    if (list == field && all_have(desired, key)) return key;
  }
  return std::nullopt;
}

/// "1500m", "1.5", "2Gi" as a number; nothing for what is no quantity of Kubernetes.
std::optional<double> quantity(const std::string& text) {
  constexpr std::array<std::pair<std::string_view, double>, 11> kUnits{{
      {"", 1},
      {"m", 1e-3},
      {"k", 1e3},
      {"M", 1e6},
      {"G", 1e9},
      {"T", 1e12},
      {"Ki", 1024.0},
      {"Mi", 1024.0 * 1024},
      {"Gi", 1024.0 * 1024 * 1024},
      {"Ti", 1024.0 * 1024 * 1024 * 1024},
      {"Pi", 1024.0 * 1024 * 1024 * 1024 * 1024},
  }};
  double number = 0;
  const char* const end = text.data() + text.size();
  const auto read = std::from_chars(text.data(), end, number, std::chars_format::fixed);
  if (read.ec != std::errc()) return std::nullopt;
  const std::string_view unit(read.ptr, static_cast<std::size_t>(end - read.ptr));
  const auto known = std::find_if(kUnits.begin(), kUnits.end(),
                                  [unit](const auto& entry) { return entry.first == unit; });
  if (known == kUnits.end()) return std::nullopt;
  return number * known->second;
}

std::string as_text(const Json& value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}

class Comparison {
 public:
  std::vector<Difference> take() { return std::move(found_); }

  void compare(const Json& desired, const Json& live, const std::string& path) {
    if (desired.is_object() && live.is_object()) {
      compare_objects(desired, live, path);
    } else if (desired.is_array() && live.is_array()) {
      compare_lists(desired, live, path);
    } else if (desired != live && !are_equal_quantities(desired, live, path)) {
      found_.push_back({.path = path, .wanted = desired, .found = live});
    }
  }

 private:
  static bool are_equal_quantities(const Json& desired, const Json& live, std::string_view path) {
    if (path.find("resources.") == std::string_view::npos) return false;
    const auto wanted = quantity(as_text(desired));
    const auto found = quantity(as_text(live));
    return wanted && found && *wanted == *found;
  }

  void compare_objects(const Json& desired, const Json& live, const std::string& path) {
    static const Json nothing;
    for (const auto& [key, value] : desired.items()) {
      const auto found = live.find(key);
      compare(value, found == live.end() ? nothing : *found,
              path.empty() ? key : fmt::format("{}.{}", path, key));
    }
  }

  void compare_lists(const Json& desired, const Json& live, const std::string& path) {
    const auto key = merge_key(std::string_view(path).substr(path.rfind('.') + 1), desired);
    if (key) {
      compare_merged(desired, live, *key, path);
    } else if (desired.size() != live.size()) {
      found_.push_back({.path = path, .wanted = desired, .found = live});
    } else {
      for (std::size_t i = 0; i < desired.size(); ++i) {
        compare(desired[i], live[i], fmt::format("{}[{}]", path, i));
      }
    }
  }

  void compare_merged(const Json& desired,
                      const Json& live,
                      std::string_view key,
                      const std::string& path) {
    for (const Json& item : desired) {
      const Json& name = item.at(std::string(key));
      const auto found = std::find_if(live.begin(), live.end(), [&](const Json& candidate) {
        return candidate.is_object() && candidate.contains(key) &&
               candidate.at(std::string(key)) == name;
      });
      const std::string place = fmt::format("{}[{}]", path, as_text(name));
      if (found == live.end()) {
        found_.push_back({.path = place, .wanted = item, .found = nullptr});
      } else {
        compare(item, *found, place);
      }
    }
  }

  std::vector<Difference> found_;
};

}  // namespace

Json manifest_of(const Object& object) {
  Json manifest = object.body;
  manifest["apiVersion"] = object.api_version;
  manifest["kind"] = object.kind;
  manifest["metadata"]["name"] = object.name;
  if (!object.namespace_name.empty()) manifest["metadata"]["namespace"] = object.namespace_name;
  return manifest;
}

std::vector<Difference> differences(const Json& desired, const Json& live) {
  Comparison comparison;
  comparison.compare(desired, live, "");
  return comparison.take();
}

bool is_contained(const Json& desired, const Json& live) {
  return differences(desired, live).empty();
}

}  // namespace meshtrust::profiles
