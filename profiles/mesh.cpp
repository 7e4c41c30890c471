#include "profiles/mesh.h"

#include "base/check.h"

#include <algorithm>
#include <array>
#include <utility>

namespace meshtrust::profiles {
namespace {

constexpr std::array kTopologies{Topology::kMultiPrimary,
                                 Topology::kPrimaryRemote,
                                 Topology::kMultiPrimaryMultiNetwork,
                                 Topology::kPrimaryRemoteMultiNetwork,
                                 Topology::kExternalControlPlane,
                                 Topology::kAmbientMultiNetwork};
constexpr std::array kTrustModes{TrustMode::kManaged, TrustMode::kObserved};
constexpr std::array kRoles{Role::kPrimary, Role::kRemote, Role::kExternal, Role::kConfig};
constexpr std::array kDataPlanes{DataPlane::kSidecar, DataPlane::kAmbient};
constexpr std::array kBackends{Backend::kIstioctl};
constexpr std::array kGatewayTypes{EastWestGateway::Type::kLoadBalancer,
                                   EastWestGateway::Type::kNodePort};

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
    case Topology::kExternalControlPlane:
      return "external-control-plane";
    case Topology::kAmbientMultiNetwork:
      return "ambient-multi-network";
  }
  MESHTRUST_CHECK(false);
}

std::string_view name_of(TrustMode mode) {
  return mode == TrustMode::kManaged ? "managed" : "observed";
}

std::string_view name_of(Role role) {
  switch (role) {
    case Role::kPrimary:
      return "primary";
    case Role::kRemote:
      return "remote";
    case Role::kExternal:
      return "external";
    case Role::kConfig:
      return "config";
  }
  MESHTRUST_CHECK(false);
}

std::string_view name_of(DataPlane data_plane) {
  return data_plane == DataPlane::kSidecar ? "sidecar" : "ambient";
}

std::string_view name_of(Backend backend) {
  switch (backend) {
    case Backend::kIstioctl:
      return "istioctl";
  }
  MESHTRUST_CHECK(false);
}

std::string_view name_of(EastWestGateway::Type type) {
  return type == EastWestGateway::Type::kLoadBalancer ? "LoadBalancer" : "NodePort";
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

std::span<const DataPlane> all_data_planes() {
  return kDataPlanes;
}

std::span<const Backend> all_backends() {
  return kBackends;
}

std::span<const EastWestGateway::Type> all_gateway_types() {
  return kGatewayTypes;
}

base::Place Values::place_of(std::string_view path) const {
  while (true) {
    const auto found = places.find(std::string(path));
    if (found != places.end()) return found->second;
    const auto dot = path.rfind('.');
    if (dot == std::string_view::npos) break;
    path = path.substr(0, dot);
  }
  const auto whole = places.find("");
  return whole == places.end() ? base::Place{} : whole->second;
}

const Cluster* Mesh::find(std::string_view cluster_name) const {
  const auto found = std::find_if(clusters.begin(), clusters.end(), [&](const Cluster& cluster) {
    return cluster.name == cluster_name;
  });
  return found == clusters.end() ? nullptr : &*found;
}

}  // namespace meshtrust::profiles
