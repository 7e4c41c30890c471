#pragma once

#include "cli/proof.h"
#include "mesh/observation.h"
#include "mesh/workloads.h"
#include "profiles/mesh.h"

#include <optional>
#include <string>

namespace meshtrust::cli {

/// What the workloads of all clusters that `proof` is about told, added up; nothing where none were
/// asked, or it is known that there are none.
std::optional<mesh::WorkloadSummary> workloads_of(const profiles::Mesh& mesh,
                                                  const mesh::Observation& observation,
                                                  const Proof& proof);

/// A row a cluster whose workloads were asked: how many told, until when their certificates last,
/// who issued those, and whom they trust. Empty where nobody asked.
std::string render_workloads(const profiles::Mesh& mesh,
                             const mesh::Observation& observation,
                             const Proof& proof,
                             base::Instant at);

/// The list `workloads` of a proof, likewise.
base::Json workloads_to_json(const profiles::Mesh& mesh,
                             const mesh::Observation& observation,
                             const Proof& proof);

}  // namespace meshtrust::cli
