#include "mesh/begun.h"

#include "mesh/installed.h"
#include "mesh/trust.h"
#include "profiles/model.h"

#include <algorithm>

namespace meshtrust::mesh {

bool is_begun(const profiles::Mesh& mesh, const Observation& observation, const BaseFiles& files) {
  if (observation.level == Level::kTrust || !profiles::refuse_to_install(mesh).empty()) {
    return false;
  }
  const OwnerJudge owners(mesh, observation);
  return std::any_of(
      mesh.clusters.begin(), mesh.clusters.end(), [&](const profiles::Cluster& cluster) {
        const ClusterObservation* seen = observation.find(cluster.name);
        const auto wanted = wanted_installations(mesh, cluster, &files);
        if (seen == nullptr || !wanted) return false;
        return std::any_of(wanted->begin(), wanted->end(), [&](const auto& installation) {
          return state_of(owners, installation, *seen).kind != InstallState::Kind::kAbsent;
        });
      });
}

Beginning beginning_in(const profiles::Mesh& mesh,
                       const profiles::Cluster& cluster,
                       const Observation& observation) {
  const ClusterObservation* seen = observation.find(cluster.name);
  if (seen == nullptr || !seen->istiod.is_absent() || seen->system_namespace.is_unknown()) {
    return Beginning::kElse;
  }
  const NamespaceFacts* facts = seen->system_namespace.found(Unknown::kTold);
  const bool is_ours = facts != nullptr && facts->mesh == mesh.name && seen->twin.is_absent();
  const Beginning without_ca = facts == nullptr ? Beginning::kNothing
                               : is_ours        ? Beginning::kNamespace
                                                : Beginning::kElse;
  if (!cluster.runs_istiod()) return without_ca;
  const Observed<Material> material = material_of(*seen);
  if (material.is_unknown()) return Beginning::kElse;
  return material.is_absent() ? without_ca : Beginning::kTrust;
}

}  // namespace meshtrust::mesh
