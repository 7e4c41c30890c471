#pragma once

#include "mesh/check.h"
#include "mesh/finding.h"
#include "mesh/observation.h"
#include "profiles/mesh.h"

#include <vector>

// What `plan` would mend, as findings: status and verify list nothing of their own.

namespace meshtrust::mesh {

/// What `plan_trust` would mend and no check tells. What could not be looked at is told by checks.
std::vector<Finding> drift_of_trust(const profiles::Mesh& mesh,
                                    const Observation& observation,
                                    base::Instant at);

/// What `plan_mesh` would mend beyond trust, and no check or condition tells. What could not be
/// looked at is a note.
std::vector<Finding> drift(const profiles::Mesh& mesh,
                           const Observation& observation,
                           base::Instant at,
                           const BaseFiles& files);

}  // namespace meshtrust::mesh
