#pragma once

#include "base/error.h"
#include "profiles/mesh.h"

#include <span>
#include <string>
#include <string_view>
#include <vector>

/// What roles, networks and the data plane of a mesh amount to: its deployment model, and which
/// cluster gets what.
namespace meshtrust::profiles {

/// The deployment model: ambient where the data plane is; an external control plane where a cluster
/// hosts one; else a remote makes it primary-remote, and a second network multi-network. One
/// primary alone is multi-primary with one member.
Topology derive_topology(std::span<const Cluster> clusters, DataPlane data_plane);

/// More istiods than this learning of every cluster make too many tokens and watches.
inline constexpr std::size_t kMostPrimariesToDiscoverAll = 50;

/// Everything about the combination of roles, networks, versions and data plane that cannot work or
/// that nobody has run, each with its reason and place. Empty for every mesh that `load_mesh`
/// gives.
base::Errors refuse_combinations(const Mesh& mesh);

/// What a mesh lacks for being installed, while its trust can do without: a version of Istio, and
/// from `kMostPrimariesToDiscoverAll` on a word about discovery.
base::Errors refuse_to_install(const Mesh& mesh);

/// Whether the clusters with workloads are on more than one network.
bool is_multi_network(const Mesh& mesh);

/// The clusters that name `cluster` in their controlPlane, in the order of the file.
std::vector<const Cluster*> managed_by(const Mesh& mesh, const Cluster& cluster);

/// The cluster that hosts an external control plane, or null; and its config cluster.
const Cluster* external_cluster(const Mesh& mesh);
const Cluster* config_cluster(const Mesh& mesh);

/// What istiod calls itself (`CLUSTER_ID`) where `cluster` runs one: the cluster's own name, or
/// that of its config cluster. It is what `topology.istio.io/controlPlaneClusters` lists.
std::string istiod_cluster_id(const Mesh& mesh, const Cluster& cluster);

/// The value of `topology.istio.io/controlPlaneClusters` for the system namespace of `cluster`:
/// "east,west"; empty unless it is a remote.
std::string control_plane_annotation(const Mesh& mesh, const Cluster& cluster);

/// Whether the cluster gets an east-west gateway: workloads on one of several networks, or a
/// primary that remotes call.
bool has_east_west_gateway(const Mesh& mesh, const Cluster& cluster);
/// Whether the configuration that opens east-west gateways to services is applied here: where an
/// istiod reads its configuration, in a mesh of several networks with sidecars.
bool exposes_services(const Mesh& mesh, const Cluster& cluster);
/// Whether the istiod of this primary is opened to remotes through its east-west gateway.
bool exposes_istiod(const Mesh& mesh, const Cluster& cluster);

/// A kubeconfig for `source` that the istiod in `target` is given.
struct RemoteSecretIntent {
  enum class Kind {
    kRemote,  ///< `istio-remote-secret-SOURCE`, by which istiod discovers and adopts
    kConfig,  ///< `istio-kubeconfig`, by which an external istiod reaches its configuration
  };
  Kind kind = Kind::kRemote;
  std::string source;
  std::string target;

  friend bool operator==(const RemoteSecretIntent&, const RemoteSecretIntent&) = default;
};

/// Whether the istiod in `target` is given a remote secret (not a config secret) for `source`.
bool reads(const Mesh& mesh, const Cluster& target, const Cluster& source);

/// All of them, by target and source in the order of the file: what `spec.discovery` asks for, and
/// what management needs in any case.
std::vector<RemoteSecretIntent> remote_secrets(const Mesh& mesh);

}  // namespace meshtrust::profiles
