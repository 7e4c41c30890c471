#pragma once

#include "mesh/plan.h"

#include <string>

namespace meshtrust::cli {

/// A plan as people read it, ending in "Plan: 3 to add, 1 to change, 0 to remove". An empty one is
/// called good only where nothing that `is_critical` was found.
std::string render_plan(const mesh::Plan& plan, bool is_critical = false);

/// What to add to "the mesh changed": which clusters are other servers now than in the plan of
/// before, as JSON; "" when none is.
std::string what_servers_changed(const base::Json& before, const base::Json& now);

}  // namespace meshtrust::cli
