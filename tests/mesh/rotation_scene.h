#pragma once

#include "mesh/rotation/plan.h"
#include "mesh/rotation/proof.h"
#include "tests/pki/forge.h"

#include <string>
#include <vector>

namespace meshtrust::mesh::rotation::testing {

using pki::testing::kNow;

/// Two hierarchies and what leads from each to the other.
struct Roots {
  pki::testing::Identity old_root;
  pki::testing::Identity new_root;
  pki::Certificate forward;  ///< the new root's key, by the old root
  pki::Certificate reverse;  ///< the old root's key, by the new root
};

/// What a test may have otherwise.
struct RootsWanted {
  std::string old_root_basic_constraints = "critical,CA:TRUE";
  std::string bridge_basic_constraints = "critical,CA:TRUE";
  base::Instant bridge_until = kNow + base::days(365);
  base::Instant old_root_until = kNow + base::days(3650);
  bool new_root_has_old_name = false;
  bool has_key_identifiers = true;
};
Roots make_roots(const RootsWanted& wanted = {});

/// A cluster's intermediate below `root`.
pki::testing::Identity make_intermediate(const std::string& name,
                                         const pki::testing::Identity& root);

/// What a cluster that was never rotated has: its intermediate, and the root.
TrustBundle first_bundle(const pki::Certificate& intermediate, const pki::Certificate& root);

/// The rotation of `clusters` from one root to the other.
NextRoot rotation_of(const std::vector<std::string>& clusters,
                     const Roots& roots,
                     Strategy strategy,
                     const Circumstances& circumstances);

}  // namespace meshtrust::mesh::rotation::testing
