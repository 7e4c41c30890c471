#pragma once

#include "profiles/installation.h"

namespace meshtrust::profiles {

/// What the model wants an installation to be given. Both trees are Helm values, with the mesh
/// configuration below `meshConfig`.
struct Payload {
  base::Json values = base::Json::object();  ///< has to be given
  base::Json facts = base::Json::object();   ///< need not be given, but cannot be otherwise
};

/// The payload of one kind of installation in `cluster`.
Payload payload_of(const Mesh& mesh, const Cluster& cluster, Installation::Kind kind);

/// The profile of Istio's that goes with it.
std::string profile_of(const Mesh& mesh, Installation::Kind kind);

}  // namespace meshtrust::profiles
