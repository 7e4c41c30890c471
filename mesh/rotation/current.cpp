#include "mesh/rotation/current.h"

#include "istio/behaviour.h"
#include "mesh/trust.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <string>
#include <string_view>
#include <utility>

namespace meshtrust::mesh::rotation {
namespace {

using base::Code;
using base::Error;
using base::fail;

/// The switch at `path` of Helm values; people write true and "true".
std::optional<bool> switch_in(const base::Json& values, std::string_view path) {
  const base::Json::json_pointer pointer{std::string(path)};
  if (!values.contains(pointer)) return std::nullopt;
  const base::Json& value = values.at(pointer);
  if (value.is_boolean()) return value.get<bool>();
  return value.is_string() && value.get<std::string>() == "true";
}

/// The cluster's own word before the mesh's.
bool is_switched_on(const profiles::Mesh& mesh,
                    const profiles::Cluster& cluster,
                    std::string_view path) {
  const auto own = switch_in(cluster.values.json, path);
  return own ? *own : switch_in(mesh.istio.values.json, path).value_or(false);
}

Circumstances circumstances_of(const profiles::Mesh& mesh,
                               const profiles::Cluster& cluster,
                               const Assumed& assumed) {
  const istio::Version version =
      assumed.version ? *assumed.version : mesh.istio.version.value_or(istio::kNewestKnown);
  const bool multi_root = assumed.multi_root
                              ? *assumed.multi_root
                              : is_switched_on(mesh, cluster, "/pilot/env/ISTIO_MULTIROOT_MESH");
  return {.version = version,
          .multi_root = multi_root,
          .takes_pushes = is_switched_on(
              mesh, cluster, "/meshConfig/defaultConfig/proxyMetadata/PROXY_CONFIG_XDS_AGENT")};
}

base::Result<TrustBundle> bundle_of(const ClusterObservation* seen, const std::string& cluster) {
  if (seen == nullptr) {
    return fail(Code::kInvalidInput, fmt::format("'{}' was not looked at", cluster));
  }
  const Observed<Material> material = material_of(*seen);
  if (const Error* why = material.why_unknown()) return fail(*why);
  const Material* found = material.found(Unknown::kTold);
  if (found == nullptr) {
    return fail(Code::kRefused, fmt::format("'{}' has no cacerts: nothing to rotate", cluster),
                "'meshtrust apply --only trust' gives it one");
  }
  auto bundle = read_bundle(found->certificates);
  if (!bundle) return fail(with_context(std::move(bundle).error(), fmt::format("'{}'", cluster)));
  return bundle;
}

}  // namespace

base::Result<std::vector<CurrentIssuer>, base::Errors> current_issuers(
    const profiles::Mesh& mesh, const Observation& observation, const Assumed& assumed) {
  std::vector<CurrentIssuer> issuers;
  base::Errors errors;
  for (const profiles::Cluster& cluster : mesh.clusters) {
    if (!cluster.runs_istiod()) continue;
    auto bundle = bundle_of(observation.find(cluster.name), cluster.name);
    if (!bundle) {
      errors.push_back(std::move(bundle).error());
      continue;
    }
    issuers.push_back({.cluster = cluster.name,
                       .now = *std::move(bundle),
                       .circumstances = circumstances_of(mesh, cluster, assumed)});
  }
  if (!errors.empty()) return fail(std::move(errors));
  return issuers;
}

}  // namespace meshtrust::mesh::rotation
