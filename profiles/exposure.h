#pragma once

#include "profiles/object.h"

#include <vector>

namespace meshtrust::profiles {

/// The configuration that lets other networks in through east-west gateways (model.h says where):
/// to all services under their mutual TLS, and to the istiod of a primary that has remotes.
std::vector<Object> exposure(const Mesh& mesh, const Cluster& cluster);

/// What leads from the ingress gateway of `host` to the control plane that it hosts.
std::vector<Object> external_routing(const Mesh& mesh, const Cluster& host);

}  // namespace meshtrust::profiles
