#pragma once

#include "base/result.h"
#include "cli/session.h"
#include "profiles/mesh.h"
#include "run/istioctl.h"

#include <string>

namespace meshtrust::cli {

/// The user's istioctl: MESHTRUST_ISTIOCTL, or what PATH finds. What it says is kept below
/// XDG_STATE_HOME or ~/.local/state, in a folder of the mesh's name.
run::Istioctl istioctl_of(const Session& session, const profiles::Mesh& mesh);

/// The first address that the system's resolver has for `host`, IPv4 before IPv6. kUnavailable when
/// there is none.
base::Result<std::string> resolve_host(const std::string& host);

}  // namespace meshtrust::cli
