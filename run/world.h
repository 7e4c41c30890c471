#pragma once

#include "ca/environment.h"
#include "ledger/line.h"
#include "run/clusters.h"

#include <filesystem>

namespace meshtrust::run {

/// Every effect that a run may have, gathered by the cli and handed down.
struct World {
  const Clusters& clusters;
  ca::Environment environment;
  const base::Cancellation& cancellation;
  std::filesystem::path store;  ///< path of the trust store
  ledger::Who who;              ///< on whose behalf the ledger is written
  std::size_t jobs = 16;        ///< clusters worked on at the same time
};

}  // namespace meshtrust::run
