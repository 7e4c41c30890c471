#pragma once

#include "mesh/condition.h"
#include "profiles/mesh.h"

#include <string>
#include <vector>

namespace meshtrust::mesh {

/// A condition that has to hold in a cluster once the mesh is up.
struct Expectation {
  std::string cluster;
  std::string id;              ///< of the step that waits for it: "east/control-plane"
  std::string_view condition;  ///< one of the table
  std::string namespace_name;
  std::string revision;
  std::string gives = {};  ///< the reference whose value it finds out
};

/// All of them, cluster by cluster, in the order in which they come true.
std::vector<Expectation> expectations(const profiles::Mesh& mesh);

/// Asks one of them.
Verdict ask(const Expectation& expectation,
            const profiles::Mesh& mesh,
            const Observation& observation,
            base::Instant at);

}  // namespace meshtrust::mesh
