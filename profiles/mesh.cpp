#include "profiles/mesh.h"

#include "base/check.h"

#include <algorithm>
#include <array>
#include <utility>

namespace meshtrust::profiles {
namespace {

constexpr std::array kTopologies{Topology::kMultiPrimary, Topology::kPrimaryRemote,
                                 Topology::kMultiPrimaryMultiNetwork,
                                 Topology::kPrimaryRemoteMultiNetwork};
constexpr std::array kTrustModes{TrustMode::kManaged, TrustMode::kObserved};
constexpr std::array kRoles{Role::kPrimary, Role::kRemote};

}  // namespace

std::string_view name_of(Topology topology) {
  switch (topology) {
    case Topology::kMultiPrimary:
      return "multi-primary";
    case Topology::kPrimaryRemote:
      return "primary-remote";
    case Topology::kMultiPrimaryMultiNetwork:
      return "multi-primary-multi-network";
    case Topology::kPrimaryRemoteMultiNetwork:
      return "primary-remote-multi-network";
  }
  MESHTRUST_CHECK(false);
}

std::string_view name_of(TrustMode mode) {
  return mode == TrustMode::kManaged ? "managed" : "observed";
}

std::string_view name_of(Role role) {
  return role == Role::kPrimary ? "primary" : "remote";
}

std::span<const Topology> all_topologies() {
  return kTopologies;
}

std::span<const TrustMode> all_trust_modes() {
  return kTrustModes;
}

std::span<const Role> all_roles() {
  return kRoles;
}

const Cluster* Mesh::find(std::string_view cluster_name) const {
  const auto found = std::find_if(clusters.begin(), clusters.end(), [&](const Cluster& cluster) {
    return cluster.name == cluster_name;
  });
  return found == clusters.end() ? nullptr : &*found;
}

}  // namespace meshtrust::profiles
