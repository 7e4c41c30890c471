#pragma once

#include "profiles/object.h"
#include "tests/mesh/trust_builder.h"

#include <string>
#include <vector>

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

/// Adds what applying `objects` leaves in a cluster, with `root` as their mark; without where it is
/// empty.
void put_applied(Scene& scene,
                 const std::string& cluster,
                 const std::string& root,
                 const std::vector<profiles::Object>& objects);

/// A remote secret and a token of it, as they were made.
void share(Scene& scene, const std::string& from, const std::string& to, const std::string& root);

/// A whole mesh of two networks whose things bear `root`, or only its name where that is empty.
/// `certificate` of east is below `anchor`.
Scene whole_mesh(const std::string& root,
                 const std::string& certificate = "east",
                 const std::string& anchor = "root");

/// What `apply` would do about the whole mesh.
Planned plan_whole(const Scene& scene);

}  // namespace meshtrust::mesh::testing
