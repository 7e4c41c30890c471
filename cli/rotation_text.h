#pragma once

#include "base/json.h"
#include "mesh/rotation/plan.h"
#include "mesh/rotation/proof.h"

#include <string>

namespace meshtrust::cli {

/// `kind: RotationProof`.
base::Json to_json(const mesh::rotation::RotationPlan& plan,
                   const mesh::rotation::Proof& proof,
                   mesh::rotation::Strategy strategy);

/// The stages as a table, what each changes, and the proof.
std::string render(const mesh::rotation::RotationPlan& plan,
                   const mesh::rotation::Proof& proof,
                   mesh::rotation::Strategy strategy);

}  // namespace meshtrust::cli
