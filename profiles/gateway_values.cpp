#include "profiles/gateway_values.h"

#include "base/text.h"
#include "profiles/merge.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <vector>

namespace meshtrust::profiles {
namespace {

using base::Json;

enum class Type { kSwitch, kCount, kMapping, kList };

struct Known {
  std::string_view path;
  Type type;
};

constexpr std::array<Known, 10> kKnown{{
    {"autoscaling.enabled", Type::kSwitch},
    {"autoscaling.minReplicas", Type::kCount},
    {"autoscaling.maxReplicas", Type::kCount},
    {"autoscaling.targetCPUUtilizationPercentage", Type::kCount},
    {"replicaCount", Type::kCount},
    {"resources", Type::kMapping},
    {"nodeSelector", Type::kMapping},
    {"tolerations", Type::kList},
    {"affinity", Type::kMapping},
    {"podAnnotations", Type::kMapping},
}};

std::string_view wanted(Type type) {
  switch (type) {
    case Type::kSwitch:
      return "true or false";
    case Type::kCount:
      return "a number of at least 1";
    case Type::kMapping:
      return "a mapping";
    case Type::kList:
      break;
  }
  return "a list";
}

bool fits(const Json& value, Type type) {
  switch (type) {
    case Type::kSwitch:
      return value.is_boolean();
    case Type::kCount:
      return value.is_number_integer() && value.get<std::int64_t>() >= 1 &&
             value.get<std::int64_t>() <= 1000;
    case Type::kMapping:
      return value.is_object() && !value.empty();
    case Type::kList:
      break;
  }
  return value.is_array() && !value.empty();
}

bool is_below(std::string_view path, std::string_view known) {
  return path.starts_with(known) && (path.size() == known.size() || path[known.size()] == '.');
}

base::Error error_at(const Values& values, const std::string& path, std::string message) {
  return {.code = base::Code::kInvalidInput,
          .message = std::move(message),
          .place = values.place_of(path)};
}

int count_at(const Json& values, const std::string& path, int standard) {
  const Json* value = find_path(values, path);
  return value == nullptr ? standard : value->get<int>();
}

Json part(const Json& values, const std::string& path) {
  const Json* value = find_path(values, path);
  return value == nullptr ? Json() : *value;
}

}  // namespace

base::Errors refuse_gateway_values(const Values& values) {
  base::Errors errors;
  for_each_leaf(values.json, [&](const std::string& path, const Json&) {
    const bool known = std::any_of(kKnown.begin(), kKnown.end(),
                                   [&path](const Known& one) { return is_below(path, one.path); });
    if (known) return;
    std::vector<std::string> names;
    names.reserve(kKnown.size());
    for (const Known& one : kKnown) {
      names.emplace_back(one.path);
    }
    errors.push_back(error_at(values, path, fmt::format("unknown gateway value '{}'", path)));
    const auto near = base::nearest(path, names);
    errors.back().hints.push_back(near ? fmt::format("did you mean '{}'?", *near)
                                       : "known here are " + base::join(names, ", "));
  });
  for (const Known& one : kKnown) {
    const std::string path(one.path);
    const Json* value = find_path(values.json, path);
    if (value == nullptr || fits(*value, one.type)) continue;
    errors.push_back(error_at(values, path,
                              fmt::format("gateway value '{}' is {}, expected {}", path,
                                          value->dump(), wanted(one.type))));
  }
  if (!errors.empty()) return errors;
  const GatewayValues standard;
  const int least = count_at(values.json, "autoscaling.minReplicas", standard.min_replicas);
  const int most = count_at(values.json, "autoscaling.maxReplicas", standard.max_replicas);
  if (least > most) {
    errors.push_back(
        error_at(values, "autoscaling",
                 fmt::format("at least {} replicas are more than at most {}", least, most)));
  }
  return errors;
}

GatewayValues gateway_values(const Mesh& mesh) {
  const Json& values = mesh.istio.gateway.json;
  GatewayValues result;
  const Json* enabled = find_path(values, "autoscaling.enabled");
  if (enabled != nullptr) result.autoscaling = enabled->get<bool>();
  result.replicas = count_at(values, "replicaCount", result.replicas);
  result.min_replicas = count_at(values, "autoscaling.minReplicas", result.min_replicas);
  result.max_replicas = count_at(values, "autoscaling.maxReplicas", result.max_replicas);
  result.target_cpu_percent =
      count_at(values, "autoscaling.targetCPUUtilizationPercentage", result.target_cpu_percent);
  result.resources = {{"requests", {{"cpu", "100m"}, {"memory", "128Mi"}}},
                      {"limits", {{"cpu", "2"}, {"memory", "1Gi"}}}};
  merge_values(result.resources,
               part(values, "resources").is_null() ? Json::object() : part(values, "resources"));
  result.node_selector = part(values, "nodeSelector");
  result.tolerations = part(values, "tolerations");
  result.affinity = part(values, "affinity");
  result.pod_annotations = part(values, "podAnnotations");
  return result;
}

}  // namespace meshtrust::profiles
