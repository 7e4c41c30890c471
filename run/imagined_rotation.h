#pragma once

#include "base/random.h"
#include "base/result.h"
#include "base/time.h"
#include "mesh/rotation/current.h"
#include "mesh/rotation/plan.h"
#include "pki/key.h"

#include <vector>

namespace meshtrust::run {

/// What is to be minted, had one the keys.
struct ImaginedRoot {
  mesh::rotation::Strategy strategy = mesh::rotation::Strategy::kBridge;
  pki::KeyAlgorithm key = pki::KeyAlgorithm::kEcdsaP256;
  base::Seconds lifetime = base::days(3650);
  pki::KeyAlgorithm intermediate_key = pki::KeyAlgorithm::kEcdsaP256;
  base::Seconds intermediate_lifetime = base::days(730);
  base::Seconds bridge_lifetime = base::days(365);
  base::Instant at;
};

/// The rotation of a mesh before anything of it is minted, and without any key: the certificates of
/// today are replaced by stand-ins (`pki::stand_in_for`), those of tomorrow are minted with
/// throw-away keys as they would be with real ones.
///
/// kRefused where clusters trust different roots, or more than one, or a certificate cannot be
/// minted (a lifetime that does not fit, a path length that leaves no room for a bridge);
/// kInvalidInput as of `pki::stand_in_for`.
base::Result<mesh::rotation::NextRoot> imagine_rotation(
    const std::vector<mesh::rotation::CurrentIssuer>& issuers,
    const ImaginedRoot& wanted,
    base::Random& random);

}  // namespace meshtrust::run
