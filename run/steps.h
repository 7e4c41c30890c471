#pragma once

#include "mesh/plan.h"
#include "run/execute.h"
#include "run/mesh_steps.h"
#include "run/trust_steps.h"

namespace meshtrust::run {

/// What does the steps of a plan: those of trust, and all others. The one function that `execute`
/// is given.
class Steps {
 public:
  /// `trust` may be null where trust is managed elsewhere: then no plan has steps for it.
  Steps(TrustSteps* trust, MeshSteps& mesh) : trust_(trust), mesh_(mesh) {}

  Outcome attempt(const mesh::Step& step, const Tell& tell);

 private:
  TrustSteps* trust_;
  MeshSteps& mesh_;
};

}  // namespace meshtrust::run
