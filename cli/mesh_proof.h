#pragma once

#include "mesh/check.h"
#include "mesh/expectation.h"

#include <string>
#include <vector>

namespace meshtrust::cli {

/// One condition of the mesh, and what became of it.
struct Shown {
  mesh::Expectation expectation;
  std::string question;  ///< and where it is asked, if not in the mesh's own namespace
  mesh::Verdict verdict;
};

/// Asks every condition and every check of a mesh; what does not hold becomes a finding or an
/// unknown of `answer`. What the level of `observation` cannot tell is left out.
std::vector<Shown> judge_mesh(const profiles::Mesh& mesh,
                              const mesh::Observation& observation,
                              base::Instant at,
                              const mesh::BaseFiles& files,
                              mesh::Answer& answer);

/// A row a condition.
std::string render_conditions(const std::vector<Shown>& shown);
base::Json conditions_to_json(const std::vector<Shown>& shown);

}  // namespace meshtrust::cli
