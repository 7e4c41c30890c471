#include "mesh/adoption.h"

#include "istio/names.h"
#include "mesh/access.h"
#include "mesh/condition/asking.h"
#include "mesh/reader.h"
#include "profiles/model.h"

#include <fmt/format.h>

#include <algorithm>

namespace meshtrust::mesh {
namespace {

using profiles::Cluster;
using profiles::Mesh;

Situation situation_of(const Mesh& mesh, const Cluster& cluster, const Observation& observation) {
  return {.mesh = mesh,
          .cluster = cluster,
          .observation = observation,
          .at = observation.at,
          .namespace_name = mesh.istio.system_namespace,
          .revision = mesh.istio.revision};
}

/// What an istiod that manages `remote` would have put there by now; empty where it is there, or
/// nobody knows.
std::string lacking_in(const Situation& remote) {
  if (std::string webhooks = injector_without_ca(remote); !webhooks.empty()) {
    return webhooks + " has no CA bundle";
  }
  if (!remote.seen().workload_roots.is_absent()) return {};
  return fmt::format("there is no configmap {}/{}", remote.namespace_name, istio::kRootConfigMap);
}

/// Whether all is as it should be that an istiod needs to read a remote, and to start anew.
bool is_readable(const Mesh& mesh,
                 const Observation& observation,
                 const Cluster& manager,
                 const Cluster& remote) {
  const ClusterObservation* home = observation.find(manager.name);
  if (home == nullptr || home->cacerts.found(Unknown::kNothingFollows) == nullptr) return false;
  const Situation istiod = situation_of(mesh, manager, observation);
  if (ask(condition(kControlPlaneReady), istiod).state != Verdict::State::kYes) return false;
  const OwnerJudge owners(mesh, observation);
  const auto access =
      state_of(mesh, observation, owners, {.source = remote.name, .target = manager.name});
  const bool reads =
      access.kind == AccessState::Kind::kAsWanted || access.kind == AccessState::Kind::kUnmarked;
  const auto missing =
      rights_not_given(mesh, manager, remote, observation.find(remote.name)->live.objects);
  return reads && missing && missing->empty();
}

/// All of it, but for what istiods say themselves.
std::vector<Unmanaged> candidates(const Mesh& mesh,
                                  const Observation& observation,
                                  const Cluster& remote) {
  // Of its own cluster an istiod asks nothing.
  if (remote.role != profiles::Role::kRemote || observation.find(remote.name) == nullptr) {
    return {};
  }
  const std::string lacks = lacking_in(situation_of(mesh, remote, observation));
  if (lacks.empty()) return {};
  std::vector<Unmanaged> found;
  for (const std::string& manager : remote.control_plane) {
    if (!is_readable(mesh, observation, *mesh.find(manager), remote)) continue;
    found.push_back({.remote = remote.name, .manager = manager, .lacks = lacks});
  }
  return found;
}

bool has_read(const Mesh& mesh, const ClusterObservation& manager, const std::string& remote) {
  const auto* views = manager.live.istiods.found(Unknown::kNothingFollows);
  std::size_t pods = 0;
  for (const IstiodView& view : views == nullptr ? std::vector<IstiodView>() : *views) {
    if (view.namespace_name != mesh.istio.system_namespace) continue;
    ++pods;
    const bool synced = std::any_of(
        view.clusters.begin(), view.clusters.end(),
        [&remote](const auto& one) { return one.id == remote && one.status == "synced"; });
    if (!synced) return false;
  }
  return pods > 0;
}

}  // namespace

std::vector<Unmanaged> unmanaged(const Mesh& mesh,
                                 const Observation& observation,
                                 const Cluster& remote) {
  std::vector<Unmanaged> found = candidates(mesh, observation, remote);
  std::erase_if(found, [&](const Unmanaged& one) {
    return !has_read(mesh, *observation.find(one.manager), one.remote);
  });
  return found;
}

std::vector<Unmanaged> unmanaged_remotes(const Mesh& mesh, const Observation& observation) {
  std::vector<Unmanaged> all;
  for (const Cluster& remote : mesh.clusters) {
    std::vector<Unmanaged> found = unmanaged(mesh, observation, remote);
    std::move(found.begin(), found.end(), std::back_inserter(all));
  }
  return all;
}

std::set<std::string> istiods_to_ask(const Mesh& mesh, const Observation& observation) {
  std::set<std::string> managers;
  for (const Cluster& remote : mesh.clusters) {
    for (const Unmanaged& one : candidates(mesh, observation, remote)) {
      managers.insert(one.manager);
    }
  }
  return managers;
}

}  // namespace meshtrust::mesh
