#pragma once

#include "profiles/reading.h"

#include <string_view>

namespace meshtrust::profiles {

/// What holds for a cluster at `key`: its own value, else that of `spec.defaults`.
const Value& in_force(const Value& cluster, const Value& defaults, std::string_view key);

/// The rules across keys, over a mesh file that was read strictly. A rule that would need a broken
/// value stays silent: its mistake is reported already.
///
///   clusters     names are unique; no context of a kubeconfig is used twice; each has a network
///   roles        at least one primary; a remote names primaries as its control plane, a primary
///                names none (a controlPlane of `spec.defaults` counts for remotes only)
///   topology     where stated, is what roles and networks make
///   lifetimes    renewBefore < lifetime of the intermediate <= lifetime of the root
void validate(const Value& mesh_file, Report& report);

}  // namespace meshtrust::profiles
