#pragma once

#include "cli/session.h"

#include <functional>

namespace meshtrust::cli {

/// Calls `program` with the real world: console, terminal, disk, clock, randomness, processes, and
/// Ctrl-C as the cancellation. Takes the passphrase out of the environment before anything else.
int with_system(const std::function<int(Surroundings&)>& program);

}  // namespace meshtrust::cli
