#pragma once

#include "base/process_table.h"
#include "ca/store.h"
#include "mesh/observation.h"
#include "profiles/mesh.h"
#include "run/lease.h"
#include "run/looking.h"
#include "run/world.h"

#include <string>
#include <vector>

namespace meshtrust::run {

/// Looks at the trust store and at every cluster of the mesh, several at a time, and writes nothing
/// anywhere. Never fails: what could not be seen is unknown, with the reason.
mesh::Observation observe(const profiles::Mesh& mesh,
                          const World& world,
                          const Onlooker& onlooker = {},
                          Depth depth = mesh::Level::kTrust);

/// The run that is at work in a cluster: found, absent or unknown.
struct AtWork {
  std::string cluster;
  mesh::Observed<LeaseHolder> holder;
};

/// What is so, and who is changing it.
struct Sight {
  mesh::Observation observation;
  std::vector<AtWork> runs;  ///< of every cluster whose server answered
};

/// As `observe`, beside the runs of others. Leases are looked at before and after everything else
/// of their cluster: where a run was at work at either time nothing is known (kLocked), for some of
/// what was seen may be from before a change and some from after it.
Sight observe_between_runs(const profiles::Mesh& mesh,
                           const World& world,
                           const base::ProcessTable& processes,
                           const Onlooker& onlooker = {},
                           Depth depth = mesh::Level::kTrust);

/// Looks again at the trust of one cluster.
mesh::ClusterObservation observe_trust(const profiles::Mesh& mesh,
                                       const profiles::Cluster& cluster,
                                       const World& world);

/// Looks again at the trust store.
mesh::Observed<mesh::StoreFacts> observe_store(const World& world);

/// What an opened store says, without its secrets.
mesh::StoreFacts facts_of(const ca::TrustStore& store);

}  // namespace meshtrust::run
