#pragma once

#include "base/error.h"
#include "base/json.h"
#include "cli/mesh_context.h"
#include "cli/session.h"
#include "mesh/observation.h"
#include "mesh/samples.h"
#include "profiles/mesh.h"

#include <string>
#include <vector>

namespace meshtrust::cli {

/// What trying a mesh with sample workloads came to.
struct SampleProof {
  std::string namespace_name;
  std::vector<mesh::SampleSite> sites;
  mesh::SampleVerdict verdict;
  base::Errors errors;  ///< why it was not begun, or was cut off
  base::Errors left;    ///< where something of it is left
};

struct SampleWish {
  std::vector<std::string> clusters;  ///< only these; all with workloads when empty
  std::string namespace_name;
  run::KubeconfigTrust trust = {};
};

/// Starts the samples, has them call each other and takes them away, telling on the console how far
/// it is. They are taken away on Ctrl-C as well; a second one ends the program at once.
SampleProof prove_with_samples(Session& session,
                               const profiles::Mesh& mesh,
                               const mesh::Observation& observation,
                               const SampleWish& wish);

/// Who reached whom, as people read it.
std::string render_samples(const profiles::Mesh& mesh, const SampleProof& proof);
/// `samples` of `kind: Verification`.
base::Json samples_to_json(const SampleProof& proof);

}  // namespace meshtrust::cli
