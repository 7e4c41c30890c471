#pragma once

#include "ca/store.h"
#include "mesh/observation.h"
#include "profiles/mesh.h"
#include "run/world.h"

#include <functional>

namespace meshtrust::run {

/// Called from any thread when a cluster has been looked at.
using Seen = std::function<void(const mesh::ClusterObservation&)>;

/// Looks at the trust store and at every cluster of the mesh, several at a time, and writes nothing
/// anywhere. Never fails: what could not be seen is unknown, with the reason.
mesh::Observation observe(const profiles::Mesh& mesh,
                          const World& world,
                          const Seen& seen = {},
                          mesh::Level level = mesh::Level::kTrust);

/// Looks again at the trust of one cluster.
mesh::ClusterObservation observe_trust(const profiles::Mesh& mesh,
                                       const profiles::Cluster& cluster,
                                       const World& world);

/// Looks again at the trust store.
mesh::Observed<mesh::StoreFacts> observe_store(const World& world);

/// What an opened store says, without its secrets.
mesh::StoreFacts facts_of(const ca::TrustStore& store);

}  // namespace meshtrust::run
