#pragma once

#include "base/error.h"
#include "mesh/finding.h"

#include <span>

namespace meshtrust::cli {

/// The exit codes that scripts rely on. The table in exit_code.cpp says which wins and what they
/// mean; the help of every command prints it.
enum ExitCode : int {
  kDone = 0,
  kFailure = 1,
  kChangesPending = 2,
  kWarnings = 3,
  kRefused = 4,
  kPartial = 5,
  kNotYet = 6,
  kLocked = 7,
  kUsage = 64,
  kBadInput = 65,
  kUnreachable = 69,
  kNotPermitted = 77,
};

ExitCode exit_code_of(base::Code code);

/// Of several failures the one that stands first in the table decides; kDone when there are none.
ExitCode exit_code_of(std::span<const base::Error> errors);

/// Critical findings refuse, warnings warn.
ExitCode exit_code_of(std::span<const mesh::Finding> findings);

/// Whichever of two stands first in the table.
ExitCode more_telling(ExitCode a, ExitCode b);

struct ExitCodeMeaning {
  ExitCode code;
  const char* meaning;
};
/// The table, most telling first.
std::span<const ExitCodeMeaning> exit_code_table();

}  // namespace meshtrust::cli
