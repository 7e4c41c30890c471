#pragma once

#include "base/result.h"
#include "mesh/plan.h"
#include "run/world.h"

namespace meshtrust::run {

/// Asks every cluster whether we may do what `plan` is going to do (self-subject access reviews,
/// which change nothing). All refusals and failures together; empty means go.
base::Errors check_rights(const mesh::Plan& plan, const World& world);

}  // namespace meshtrust::run
