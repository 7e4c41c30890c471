#pragma once

#include "base/json.h"
#include "base/time.h"
#include "cli/exit_code.h"
#include "run/cluster_check.h"

#include <span>
#include <string>

namespace meshtrust::cli {

/// kDone when the cluster can be used; else why not: bad input, unreachable, not permitted.
ExitCode exit_code_of(const run::ClusterCheck& check);

/// A block for people: the verdict, then a fact a line.
std::string render_check(const run::ClusterCheck& check, base::Instant now);

/// An item of `kind: ClusterCheck`.
base::Json to_json(const run::ClusterCheck& check);

}  // namespace meshtrust::cli
