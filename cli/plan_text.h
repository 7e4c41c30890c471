#pragma once

#include "mesh/plan.h"

#include <string>

namespace meshtrust::cli {

/// A plan as people read it, ending in "Plan: 3 to add, 1 to change, 0 to remove".
std::string render_plan(const mesh::Plan& plan);

}  // namespace meshtrust::cli
