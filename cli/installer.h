#pragma once

#include "cli/session.h"
#include "profiles/mesh.h"
#include "run/istioctl.h"

namespace meshtrust::cli {

/// The user's istioctl: MESHTRUST_ISTIOCTL, or what PATH finds. What it says is kept below
/// XDG_STATE_HOME or ~/.local/state, in a folder of the mesh's name.
run::Istioctl istioctl_of(const Session& session, const profiles::Mesh& mesh);

}  // namespace meshtrust::cli
