#pragma once

#include "tests/mesh/trust_builder.h"

#include <string>

namespace meshtrust::mesh::testing {

/// Everything beyond trust of a cluster in which there is nothing of it.
LiveMesh nothing_live();

/// The example examples/NAME.yaml on clusters that answer and hold nothing at all.
Scene fresh_example(const std::string& name);

/// A Deployment as a cluster shows it; all of its replicas are ready unless told otherwise.
base::Json deployment(const std::string& namespace_name,
                      const std::string& name,
                      int replicas = 1,
                      int ready = 1);

/// Adds an object to what was seen of a cluster.
void put(ClusterObservation& seen, std::string_view resource, base::Json object);

/// What `apply` would do about the whole mesh.
Planned plan_whole(const Scene& scene);

}  // namespace meshtrust::mesh::testing
