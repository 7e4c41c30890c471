#pragma once

#include "mesh/check.h"

// Checks about the root: of the store, of the mesh file, and of live clusters.

namespace meshtrust::mesh {

/// Whether the workloads of `cluster`, which was observed, trust another root than the store's, and
/// `check_live_roots_agree` tells that.
bool workloads_trust_another_root(const CheckSubject& subject, const profiles::Cluster& cluster);

void check_root_agrees(const CheckSubject& subject, Answer& answer);
void check_root_mintable(const CheckSubject& subject, Answer& answer);
void check_live_roots_agree(const CheckSubject& subject, Answer& answer);
void check_anchors_known(const CheckSubject& subject, Answer& answer);

}  // namespace meshtrust::mesh
