#pragma once

#include "base/error.h"
#include "mesh/plan.h"
#include "profiles/mesh.h"
#include "run/world.h"

#include <string>
#include <vector>

namespace meshtrust::run {

/// What the API servers said to a plan before any of it was written.
struct Rehearsal {
  base::Errors refusals;             ///< each with its cluster; any of them stops the run
  std::vector<std::string> untried;  ///< "east/meshtrust-trust: its namespace does not exist yet"
};

/// Applies every object of `plan` that holds nothing secret as a server-side dry run: admission,
/// validation and conflicts with other owners, nothing stored. Secrets are never sent. A public
/// twin whose certificates are not minted yet is tried without them. Untried stays what lies in a
/// namespace that the same plan creates, and what a webhook forbids to try.
Rehearsal rehearse(const profiles::Mesh& mesh, const mesh::Plan& plan, const World& world);

}  // namespace meshtrust::run
