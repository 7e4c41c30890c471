#pragma once

#include "profiles/mesh.h"

#include <span>

namespace meshtrust::profiles {

/// The deployment model that roles and networks amount to: a remote makes it primary-remote, a
/// second network makes it multi-network. One primary alone is multi-primary with one member.
Topology derive_topology(std::span<const Cluster> clusters);

}  // namespace meshtrust::profiles
