#pragma once

#include "k8s/api_client.h"
#include "mesh/observation.h"
#include "profiles/mesh.h"
#include "run/looking.h"
#include "run/world.h"

#include <cstddef>

namespace meshtrust::run {

/// The pods of a cluster that are to be asked, `most` of them at most; nobody is asked yet. Unknown
/// where pods of all namespaces may not be listed, with the right that it takes.
mesh::Observed<mesh::WorkloadFacts> find_workloads(const profiles::Mesh& mesh,
                                                   k8s::ApiClient& client,
                                                   std::size_t most);

/// Asks the proxies of all pods that `observation` names what they present and trust, those of all
/// clusters several at a time.
void ask_workloads(const World& world,
                   mesh::Observation& observation,
                   const Onlooker& onlooker = {});

}  // namespace meshtrust::run
