#pragma once

#include "base/json.h"
#include "base/result.h"

#include <nlohmann/json.hpp>

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

/// Where clusters run: which addresses work from where. All pure.
namespace meshtrust::profiles {

/// Whether only the machine itself (or a container's host) reaches the server of that URL: a
/// loopback or unspecified address, "localhost", "host.docker.internal". Such a server cannot stand
/// in a remote secret.
bool is_loopback_server(std::string_view url);

/// An address of a cluster's node.
struct NodeAddress {
  std::string type;     ///< "InternalIP", "Hostname", ...
  std::string address;  ///< as in the node's status
  bool control_plane = false;
};

/// The URL at which the other kind clusters of a machine reach this one, from its nodes: the
/// internal address of its control-plane node, IPv4 first. Nothing when there is not exactly one
/// such node: several stand behind a load balancer that no node tells of.
std::optional<std::string> kind_api_server(std::span<const NodeAddress> addresses);

/// The address pool and its announcement (`metallb.io/v1beta1`) for the cluster number `index` of
/// `clusters` that share the container network `subnet` ("172.18.0.0/16"): 50 addresses a cluster
/// in x.y.(200+index), or in the upper quarter of a smaller network, no two clusters' overlapping.
/// kInvalidInput when `subnet` is no IPv4 network or too small for four addresses a cluster.
base::Result<std::vector<base::Json>> metallb_pool(std::string_view subnet,
                                                   std::size_t index,
                                                   std::size_t clusters);

}  // namespace meshtrust::profiles
