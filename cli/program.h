#pragma once

#include "cli/session.h"

#include <string>
#include <vector>

namespace meshtrust::cli {

/// Runs one command line (without the program's name) and gives its exit code. The whole program
/// but for what `main` prepares, so tests call it without a process.
int run_program(const std::vector<std::string>& arguments, Surroundings& around);

}  // namespace meshtrust::cli
