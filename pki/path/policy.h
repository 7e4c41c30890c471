#pragma once

#include "pki/path/checks.h"

#include <optional>

namespace meshtrust::pki {

/// Certificate policies of a path from leaf to anchor (RFC 5280 6.1.3 (d) to (f), 6.1.4 (a), (b),
/// (h) to (j), 6.1.5 (a), (b), (g), as RFC 9618 rewrites them: a graph of bounded size instead of a
/// tree that can grow without bound). Inputs are the defaults of 6.1.1: any policy, nothing
/// demanded at first. The anchor is not looked at. `Check::kPolicy` when an explicit policy is
/// demanded by the path and none is valid, or a mapping names anyPolicy (see `Rules`).
std::optional<PathFailure> check_policies(const Path& path, const Rules& rules);

}  // namespace meshtrust::pki
