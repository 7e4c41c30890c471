#include "run/manifests.h"

#include "k8s/yaml_value.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>

namespace meshtrust::run {
namespace {

using base::Json;
using base::Result;

/// Istio's custom resource definitions alone are most of a megabyte.
constexpr base::YamlLimits kLimits{
    .bytes = std::size_t{8} << 20U, .nodes = 1'000'000, .characters = std::size_t{32} << 20U};

/// Asks the server what kinds it has, each group once.
class Kinds {
 public:
  explicit Kinds(k8s::ApiClient& client) : client_(client) {}

  /// nullptr for a kind that the server does not have.
  Result<const k8s::ServedResource*> find(const std::string& api_version, const std::string& kind) {
    auto known = served_.find(api_version);
    if (known == served_.end()) {
      MESHTRUST_TRY(auto resources, client_.discover(api_version));
      known = served_.emplace(api_version, std::move(resources).value_or(Resources())).first;
    }
    for (const k8s::ServedResource& one : known->second) {
      if (one.kind == kind && one.name.find('/') == std::string::npos) return &one;
    }
    return nullptr;
  }

 private:
  using Resources = std::vector<k8s::ServedResource>;
  k8s::ApiClient& client_;
  std::map<std::string, Resources> served_;
};

int turn_of(const std::string& kind) {
  constexpr std::array<std::string_view, 7> kFirst{
      "CustomResourceDefinition", "Namespace", "ServiceAccount", "ClusterRole",
      "ClusterRoleBinding",       "Role",      "RoleBinding"};
  const auto* const first = std::find(kFirst.begin(), kFirst.end(), kind);
  if (first != kFirst.end()) return static_cast<int>(first - kFirst.begin());
  if (kind == "ConfigMap") return 10;
  return kind.ends_with("WebhookConfiguration") ? 30 : 20;
}

}  // namespace

Result<std::vector<RenderedObject>> read_manifests(k8s::ApiClient& client,
                                                   std::string_view manifests) {
  std::vector<RenderedObject> objects;
  Kinds kinds(client);
  MESHTRUST_TRY(const auto documents, k8s::read_yaml_values("manifests", manifests, kLimits));
  for (const k8s::YamlValue& value : documents) {
    Json body = to_json(value);
    if (!body.is_object()) continue;
    const std::string api_version = base::string_at(body, "apiVersion");
    const std::string kind = base::string_at(body, "kind");
    const Json& metadata = base::at_path(body, {"metadata"});
    if (api_version.empty() || kind.empty() || base::string_at(metadata, "name").empty()) {
      return base::fail(base::Code::kInvalidInput,
                        "a rendered document has no apiVersion, kind or name");
    }
    MESHTRUST_TRY(const k8s::ServedResource* const served, kinds.find(api_version, kind));
    if (served == nullptr) continue;
    objects.push_back(
        {.ref = {.api_version = api_version,
                 .kind = kind,
                 .resource = served->name,
                 .namespace_name =
                     served->namespaced ? base::string_at(metadata, "namespace", "default") : "",
                 .name = base::string_at(metadata, "name")},
         .body = std::move(body)});
  }
  std::stable_sort(objects.begin(), objects.end(),
                   [](const RenderedObject& a, const RenderedObject& b) {
                     return turn_of(a.ref.kind) < turn_of(b.ref.kind);
                   });
  return objects;
}

}  // namespace meshtrust::run
