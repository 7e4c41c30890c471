#pragma once

#include "base/time.h"
#include "mesh/observation.h"
#include "mesh/plan.h"
#include "profiles/mesh.h"
#include "profiles/reference.h"

namespace meshtrust::mesh {

/// Adds the waits that belong to the steps of `plan`: for every expectation that something in it
/// comes before, that gives it an address, or that does not hold at present. `known` gives the
/// references that have a value already.
void add_waits(const profiles::Mesh& mesh,
               const Observation& observation,
               base::Instant at,
               const profiles::Lookup& known,
               Plan& plan);

}  // namespace meshtrust::mesh
