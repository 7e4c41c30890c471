#include "profiles/model.h"

#include "base/text.h"

#include <algorithm>
#include <iterator>

namespace meshtrust::profiles {
namespace {

bool has_role(std::span<const Cluster> clusters, Role role) {
  return std::any_of(clusters.begin(), clusters.end(),
                     [role](const Cluster& cluster) { return cluster.role == role; });
}

/// Whether the clusters that run workloads are on more than one network. A hosting cluster's own
/// network carries none of the mesh's traffic.
bool are_on_several_networks(std::span<const Cluster> clusters) {
  const Cluster* first = nullptr;
  for (const Cluster& cluster : clusters) {
    if (cluster.role == Role::kExternal) continue;
    if (first == nullptr) first = &cluster;
    if (cluster.network != first->network) return true;
  }
  return false;
}

bool contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

const Cluster* find_role(const Mesh& mesh, Role role) {
  const auto found = std::find_if(mesh.clusters.begin(), mesh.clusters.end(),
                                  [role](const Cluster& cluster) { return cluster.role == role; });
  return found == mesh.clusters.end() ? nullptr : &*found;
}

bool discovers(const Mesh& mesh, const Cluster& learner, const Cluster& other) {
  switch (mesh.discovery.mode) {
    case Discovery::Mode::kAll:
      return true;
    case Discovery::Mode::kNone:
      return false;
    case Discovery::Mode::kListed:
      break;
  }
  const auto list = mesh.discovery.lists.find(learner.name);
  return list != mesh.discovery.lists.end() && contains(list->second, other.name);
}

}  // namespace

Topology derive_topology(std::span<const Cluster> clusters, DataPlane data_plane) {
  if (data_plane == DataPlane::kAmbient) return Topology::kAmbientMultiNetwork;
  if (has_role(clusters, Role::kExternal)) return Topology::kExternalControlPlane;
  const bool several_networks = are_on_several_networks(clusters);
  if (has_role(clusters, Role::kRemote)) {
    return several_networks ? Topology::kPrimaryRemoteMultiNetwork : Topology::kPrimaryRemote;
  }
  return several_networks ? Topology::kMultiPrimaryMultiNetwork : Topology::kMultiPrimary;
}

bool is_multi_network(const Mesh& mesh) {
  return are_on_several_networks(mesh.clusters);
}

std::vector<const Cluster*> managed_by(const Mesh& mesh, const Cluster& cluster) {
  std::vector<const Cluster*> managed;
  for (const Cluster& other : mesh.clusters) {
    if (contains(other.control_plane, cluster.name)) managed.push_back(&other);
  }
  return managed;
}

const Cluster* external_cluster(const Mesh& mesh) {
  return find_role(mesh, Role::kExternal);
}

const Cluster* config_cluster(const Mesh& mesh) {
  return find_role(mesh, Role::kConfig);
}

std::string istiod_cluster_id(const Mesh& mesh, const Cluster& cluster) {
  const Cluster* config = config_cluster(mesh);
  return cluster.role == Role::kExternal && config != nullptr ? config->name : cluster.name;
}

std::string control_plane_annotation(const Mesh& mesh, const Cluster& cluster) {
  if (cluster.role != Role::kRemote) return {};
  std::vector<std::string> ids;
  for (const std::string& name : cluster.control_plane) {
    const Cluster* manager = mesh.find(name);
    if (manager != nullptr) ids.push_back(istiod_cluster_id(mesh, *manager));
  }
  return base::join(ids, ",");
}

bool has_east_west_gateway(const Mesh& mesh, const Cluster& cluster) {
  if (cluster.role == Role::kExternal) return false;
  if (is_multi_network(mesh)) return true;
  return cluster.role == Role::kPrimary && !managed_by(mesh, cluster).empty();
}

bool exposes_services(const Mesh& mesh, const Cluster& cluster) {
  const bool holds_configuration = cluster.role == Role::kPrimary || cluster.role == Role::kConfig;
  return holds_configuration && is_multi_network(mesh) &&
         mesh.istio.data_plane == DataPlane::kSidecar;
}

bool exposes_istiod(const Mesh& mesh, const Cluster& cluster) {
  return cluster.role == Role::kPrimary && !managed_by(mesh, cluster).empty();
}

bool reads(const Mesh& mesh, const Cluster& target, const Cluster& source) {
  const bool can = target.runs_istiod() && source.name != target.name &&
                   source.role != Role::kExternal && source.role != Role::kConfig;
  return can && (contains(source.control_plane, target.name) || discovers(mesh, target, source));
}

std::vector<RemoteSecretIntent> remote_secrets(const Mesh& mesh) {
  using Kind = RemoteSecretIntent::Kind;
  std::vector<RemoteSecretIntent> secrets;
  for (const Cluster& target : mesh.clusters) {
    if (!target.runs_istiod()) continue;
    for (const Cluster& source : mesh.clusters) {
      const bool is_configured =
          source.role == Role::kConfig && contains(source.control_plane, target.name);
      if (is_configured) secrets.push_back({Kind::kConfig, source.name, target.name});
      if (reads(mesh, target, source)) {
        secrets.push_back({Kind::kRemote, source.name, target.name});
      }
    }
  }
  return secrets;
}

}  // namespace meshtrust::profiles
