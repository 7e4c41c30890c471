#include "profiles/model.h"

#include <algorithm>

namespace meshtrust::profiles {

Topology derive_topology(std::span<const Cluster> clusters) {
  const bool has_remotes =
      std::any_of(clusters.begin(), clusters.end(),
                  [](const Cluster& cluster) { return cluster.role == Role::kRemote; });
  const bool is_multi_network = std::any_of(
      clusters.begin(), clusters.end(),
      [&](const Cluster& cluster) { return cluster.network != clusters.front().network; });
  if (has_remotes) {
    return is_multi_network ? Topology::kPrimaryRemoteMultiNetwork : Topology::kPrimaryRemote;
  }
  return is_multi_network ? Topology::kMultiPrimaryMultiNetwork : Topology::kMultiPrimary;
}

}  // namespace meshtrust::profiles
