#pragma once

#include "profiles/object.h"

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace meshtrust::profiles {

/// The annotation of a gateway's Service by which istiods choose the nodes that lead to it.
inline constexpr std::string_view kNodeSelectorAnnotation = "traffic.istio.io/nodeSelector";

/// The east-west gateway of a cluster, in the system namespace: with sidecars a Deployment that is
/// injected, its Service and what they need; in an ambient mesh one Gateway, of which istiod makes
/// the rest. In the order in which they are to be applied.
std::vector<Object> east_west_gateway(const Mesh& mesh, const Cluster& cluster);

/// The gateway by which other clusters reach the control plane that `host` hosts, in the ingress
/// namespace.
std::vector<Object> ingress_gateway(const Mesh& mesh, const Cluster& host);

/// The labels that a node needs for istiods to take its address for the gateway's. Empty for all
/// nodes, which is also how they read an annotation that is no mapping of strings.
std::map<std::string, std::string> node_selector(const EastWestGateway& gateway);

/// Whether anybody on the Internet may reach the control ports of the gateway: a load balancer that
/// no annotation makes internal and no source range bounds.
bool is_open_to_the_world(const EastWestGateway& gateway);

}  // namespace meshtrust::profiles
