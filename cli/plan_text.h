#pragma once

#include "mesh/plan.h"

#include <string>

namespace meshtrust::cli {

/// A plan as people read it, ending in "Plan: 3 to add, 1 to change, 0 to remove".
std::string render_plan(const mesh::Plan& plan);

/// What to add to "the mesh changed": which clusters are other servers now than in the plan of
/// before, as JSON; "" when none is.
std::string what_servers_changed(const base::Json& before, const base::Json& now);

}  // namespace meshtrust::cli
