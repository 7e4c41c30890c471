#pragma once

#include "cli/judged_bundle.h"
#include "mesh/trust.h"

#include <cstddef>
#include <vector>

namespace meshtrust::cli {

/// Several bundles as clusters of one mesh: would workloads of each accept those of every other?
struct BundlePairs {
  std::size_t count = 0;  ///< of ordered pairs of bundles that could be read
  std::size_t accepted = 0;
  std::vector<mesh::PairVerdict> told = {};  ///< all, or those that are refused or doubted

  std::string render() const;
};

/// `wants_all` for a document; people are told what a million pairs that are all well add up to.
/// At most `workers` threads.
BundlePairs judge_pairs_of(const std::vector<JudgedBundle>& bundles,
                           base::Instant at,
                           std::size_t workers,
                           bool wants_all);

}  // namespace meshtrust::cli
