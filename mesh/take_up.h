#pragma once

#include "base/error.h"
#include "mesh/condition.h"

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace meshtrust::mesh {

/// How often the API server of one cluster has refused one istiod a list or a watch, since that
/// istiod started: its metric `controller_sync_errors_total`.
struct Refusals {
  std::string pod;
  std::uint64_t count = 0;
};

/// After a refusal istiod asks again, by client-go's reflectors: after 0.8 s, twice that each time
/// and never more than 30 s, with up to as much again added at random; and the request itself takes
/// a moment.
inline constexpr std::chrono::seconds kAsksAgainWithin{65};

/// Whether istiods use a right that was given back to their reader.
///
/// Nothing in istiod says so: a cluster that was read once stays "synced" in /debug/clusterz with
/// whatever was known then. What tells it is the count of refusals. Watches that stand are not cut
/// with the right, so who was never refused has lost nothing; and who was refused and then was not
/// for as long as it waits at most has asked again and got it.
class TakeUp {
 public:
  explicit TakeUp(std::string cluster) : cluster_(std::move(cluster)) {}

  /// What follows from what the istiods that read the cluster say at `now`, on a clock that never
  /// jumps; one call after another, the first when the right was there.
  Verdict judge(const std::vector<Refusals>& istiods, std::chrono::milliseconds now);

  /// The same where they cannot be asked: nothing is claimed to have been seen, and nothing is
  /// waited for beyond the time by which they have asked again.
  Verdict judge_unseen(const base::Error& why, std::chrono::milliseconds now);

 private:
  struct Count {
    std::uint64_t refusals = 0;
    std::chrono::milliseconds since;
  };
  const std::string cluster_;
  std::map<std::string, Count> seen_ = {};  ///< by pod
  std::optional<std::chrono::milliseconds> unseen_since_;
};

}  // namespace meshtrust::mesh
