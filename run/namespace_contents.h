#pragma once

#include "k8s/api_client.h"
#include "mesh/observation.h"
#include "mesh/plan.h"
#include "profiles/mesh.h"
#include "run/looking.h"
#include "run/world.h"

#include <string>
#include <vector>

namespace meshtrust::run {

/// The metadata of everything in a namespace, of every kind that the server serves and that can be
/// listed and deleted. A group that is listed and does not answer is an error: what it keeps there
/// is not known.
base::Result<std::vector<mesh::ContentFacts>> contents_of(k8s::ApiClient& client,
                                                          const std::string& namespace_name);

/// Adds to `observation`, in the clusters that leave, what is in the namespaces that meshtrust
/// made. Costs a request for each group and each kind, so that only who deletes namespaces asks.
void observe_contents(const profiles::Mesh& mesh,
                      const World& world,
                      const mesh::DestroyOptions& options,
                      mesh::Observation& observation,
                      const Onlooker& onlooker = {});

}  // namespace meshtrust::run
