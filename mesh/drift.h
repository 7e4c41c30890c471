#pragma once

#include "mesh/check.h"
#include "mesh/finding.h"
#include "mesh/observation.h"
#include "profiles/mesh.h"

#include <vector>

namespace meshtrust::mesh {

/// What of the mesh beyond its trust and its control planes is missing or is not as the mesh file
/// says: what `plan_mesh` would do about it, as findings. What could not be looked at is a note.
std::vector<Finding> drift(const profiles::Mesh& mesh,
                           const Observation& observation,
                           base::Instant at,
                           const BaseFiles& files);

}  // namespace meshtrust::mesh
