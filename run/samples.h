#pragma once

#include "base/error.h"
#include "mesh/observation.h"
#include "mesh/samples.h"
#include "profiles/samples.h"
#include "run/clusters.h"
#include "run/execute.h"
#include "run/world.h"

#include <chrono>
#include <string>
#include <vector>

namespace meshtrust::run {

struct SampleOptions {
  std::vector<std::string> clusters = {};  ///< only these; all with workloads when empty
  std::string namespace_name = std::string(profiles::kSampleNamespace);
  /// For all pods together to become ready, and once more for everything to be gone.
  std::chrono::milliseconds at_most{600'000};
};

/// What became of an attempt to try a mesh with workloads.
struct SampleRun {
  std::vector<mesh::SampleSite> sites;  ///< one a cluster; empty when nothing was begun
  base::Errors errors;                  ///< why it was not begun, or was cut off
  base::Errors left;                    ///< where it could not clean up, with what to do
};

/// Starts Istio's samples in all clusters with workloads, has every client call the server by its
/// name, and takes them away again, however it went: the namespace is deleted in each cluster where
/// this run began to make it, and waited for until it is gone.
///
/// Begins with nothing while one cluster cannot be reached, a right is missing, or a namespace of
/// that name is there that is not ours. What an earlier run left is ours: it is deleted first.
///
/// `cleaning` holds clients of the same clusters that `world.cancellation` does not end; it is used
/// for taking away when the run was cancelled. `events` hears three steps a cluster:
/// "east/samples", "east/calls" and "east/clean-up".
///
/// `observation` tells whose a namespace is that is there already.
SampleRun try_samples(const profiles::Mesh& mesh,
                      const mesh::Observation& observation,
                      const World& world,
                      const Clusters& cleaning,
                      Events& events,
                      const SampleOptions& options = {});

}  // namespace meshtrust::run
