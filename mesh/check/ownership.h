#pragma once

#include "mesh/check.h"
#include "mesh/ownership.h"

#include <optional>

namespace meshtrust::mesh {

/// Nothing in the clusters bears the marks of another mesh: of another name, or, since names
/// collide, of this one and another root.
void check_marks(const CheckSubject& subject, Answer& answer);

/// The finding about what in `cluster` bears marks of another mesh; nothing where nothing does.
std::optional<Finding> marks_of_others(const profiles::Mesh& mesh,
                                       const OwnerJudge& owners,
                                       const profiles::Cluster& cluster,
                                       const ClusterObservation& seen);

}  // namespace meshtrust::mesh
