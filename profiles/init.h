#pragma once

#include "base/result.h"
#include "istio/version.h"
#include "profiles/mesh.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace meshtrust::profiles {

/// A cluster to be written into a new mesh file.
struct InitCluster {
  std::string context;                    ///< of the kubeconfig
  std::optional<std::string> name;        ///< derived from the context when absent
  std::optional<std::string> kubeconfig;  ///< written only when the user named one
};

/// What `meshtrust init` was asked for.
struct InitRequest {
  std::string mesh_name = "mesh";
  std::vector<InitCluster> clusters;  ///< at least one
  /// Decides roles, networks and data plane, the first cluster being that which manages any others
  /// and the second the config cluster of an external control plane. When absent,
  /// each cluster becomes a primary on a network of its own.
  std::optional<Topology> topology = std::nullopt;
  std::optional<istio::Version> istio_version = std::nullopt;  ///< without one: trust alone
};

/// A cluster name made of a context's: itself where it is a DNS-1123 label, else lower-case with
/// every run of other characters as one '-', cut at 63; "cluster" when nothing is left.
std::string cluster_name_from_context(std::string_view context);

/// A name for a mesh that nobody has named, by which people and other meshes can tell it: `folder`
/// (a name, no path; where it is empty the contexts, joined) as a DNS-1123 label, and four digits
/// of the digest of `servers`, which say in any order what the API servers of its clusters are.
/// From the same the same, always.
std::string propose_mesh_name(std::string_view folder,
                              const std::vector<std::string>& contexts,
                              std::vector<std::string> servers);

/// A commented mesh file that `load_mesh` accepts. The keys left at their defaults stand in it as
/// comments. kInvalidInput when the request makes no mesh: no cluster, a context twice, a name that
/// is no DNS-1123 label or not unique. Derived names are made unique ("east", "east-2").
base::Result<std::string> render_mesh_file(const InitRequest& request);

}  // namespace meshtrust::profiles
