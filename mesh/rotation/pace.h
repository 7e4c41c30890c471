#pragma once

#include "base/time.h"
#include "mesh/rotation/plan.h"

#include <cstddef>

namespace meshtrust::mesh::rotation {

/// What a rotation's duration follows from.
struct Pace {
  /// The longest that any workload's certificate lives.
  base::Seconds workload_ttl = std::chrono::hours(24);
  /// Whether what workloads show and trust can be read. Where it cannot, a gate waits until nothing
  /// issued earlier is valid any more.
  bool sees_workloads = true;
};

struct Duration {
  base::Seconds least;  ///< where everything renews, or is restarted, at once
  base::Seconds most;   ///< of what is healthy; a person who is waited for counts as nobody
  friend bool operator==(const Duration&, const Duration&) = default;
};

/// From the first write of a stage in this cluster until its gate may open.
Duration duration_of(const Track& track, std::size_t stage, const Pace& pace);

/// The same of a whole stage: of the cluster that takes longest.
Duration duration_of(const RotationPlan& plan, std::size_t stage, const Pace& pace);

}  // namespace meshtrust::mesh::rotation
