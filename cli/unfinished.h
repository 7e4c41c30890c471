#pragma once

#include "cli/exit_code.h"
#include "cli/session.h"
#include "mesh/plan.h"
#include "run/execute.h"

namespace meshtrust::cli {

/// Says which steps of a run did not succeed, why, and how to go on. Once something has changed,
/// "partly done" is what a script must learn; what stands higher in the table happens before.
ExitCode tell_what_is_left(Session& session,
                           const mesh::Plan& plan,
                           const run::ExecutionReport& report);

}  // namespace meshtrust::cli
